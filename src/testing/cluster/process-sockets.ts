import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** Local ports of the UDP sockets and TCP listeners of a process, native ones included. Only on Linux. */
export function boundPorts(pid: number): readonly number[] {
  const inodes = new Set(socketInodes(pid))
  return ['udp', 'udp6', 'tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, 'utf8')
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => inodes.has(fields[9] ?? '') && (table.startsWith('udp') || fields[3] === listening))
      .map((fields) => Number.parseInt(fields[1]?.split(':')[1] ?? '', 16)),
  )
}

/** State of a TCP listener in `/proc/net/tcp`. */
const listening = '0A'

function socketInodes(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.slice(1) ?? []
    } catch {
      // Closed in the meantime.
      return []
    }
  })
}
