import { closeSync, openSync, readSync } from 'node:fs'

export type SocketKind = 'udp' | 'tcp' | 'unix'

/** A socket as the kernel’s tables list it. */
export interface SocketRow {
  readonly inode: string
  readonly kind: SocketKind
  /** `host:port`; the path of a unix socket, empty without one. */
  readonly local: string
  /** Absent for a socket that is not connected. */
  readonly remote?: string
  /** State of a TCP socket. */
  readonly state?: string
}

/** Smallest tables first: a node’s own sockets are mostly UDP, and a busy machine’s largest table is TCP’s. */
const tables = [
  { path: '/proc/self/net/udp', kind: 'udp' },
  { path: '/proc/self/net/udp6', kind: 'udp' },
  { path: '/proc/self/net/unix', kind: 'unix' },
  { path: '/proc/self/net/tcp', kind: 'tcp' },
  { path: '/proc/self/net/tcp6', kind: 'tcp' },
] as const

/** The tables list the sockets of all processes: at most this much of each is read, some 1,700 rows. */
const maxTableBytes = 262_144

/** Rows for the wanted inodes. Reads no table after the last of them is found, and none that the system lacks. */
export function socketRows(wanted: ReadonlySet<string>): SocketRow[] {
  const rows: SocketRow[] = []
  for (const { path, kind } of tables) {
    if (rows.length >= wanted.size) break
    rows.push(...parseTable(readStart(path), kind, wanted))
  }
  return rows
}

function readStart(path: string): string {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch {
    return ''
  }
  try {
    const buffer = Buffer.allocUnsafe(maxTableBytes)
    let length = 0
    // The kernel returns a page or less at a time.
    for (let read = -1; read !== 0 && length < maxTableBytes; length += read) {
      read = readSync(fd, buffer, length, maxTableBytes - length, null)
    }
    return buffer.toString('latin1', 0, length)
  } catch {
    return ''
  } finally {
    closeSync(fd)
  }
}

/** Parses the rows of these inodes in a table of `/proc/net`; skips its title and a row that was cut off. */
export function parseTable(text: string, kind: SocketKind, wanted: ReadonlySet<string>): SocketRow[] {
  const column = kind === 'unix' ? 6 : 9
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const columns = line.trim().split(/\s+/)
      return wanted.has(columns[column] ?? '') ? (parseRow(columns, kind) ?? []) : []
    })
}

const states: Readonly<Record<string, string>> = {
  '01': 'established',
  '02': 'syn-sent',
  '03': 'syn-received',
  '04': 'fin-wait-1',
  '05': 'fin-wait-2',
  '06': 'time-wait',
  '07': 'closed',
  '08': 'close-wait',
  '09': 'last-ack',
  '0A': 'listening',
  '0B': 'closing',
}

function parseRow(columns: readonly string[], kind: SocketKind): SocketRow | undefined {
  if (kind === 'unix') {
    const [inode, path = ''] = columns.slice(6)
    return inode === undefined ? undefined : { inode, kind, local: path }
  }
  const [, local, remote, state = ''] = columns
  const inode = columns[9]
  if (local === undefined || remote === undefined || inode === undefined) return undefined
  return {
    inode,
    kind,
    local: addressOf(local),
    ...(!/^0+:0000$/.test(remote) && { remote: addressOf(remote) }),
    ...(kind === 'tcp' && { state: states[state] ?? state }),
  }
}

/** `0100007F:1F90` is 127.0.0.1:8080: hexadecimal, each word of four bytes in the order of a little-endian machine. */
function addressOf(hex: string): string {
  const [host = '', port = ''] = hex.split(':')
  const bytes = (host.match(/.{8}/g) ?? []).flatMap((word) => [...Buffer.from(word, 'hex')].reverse())
  const portNumber = Number.parseInt(port, 16)
  if (bytes.length === 4) return `${bytes.join('.')}:${portNumber}`
  const groups = Array.from({ length: 8 }, (_, i) =>
    (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16),
  )
  return `[${new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)}]:${portNumber}`
}
