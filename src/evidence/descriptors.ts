import { readdirSync, readlinkSync } from 'node:fs'
import { type SocketKind, type SocketRow, socketRows } from './socket-tables.ts'

/** `socket`: of a family that the tables of the kernel do not list, or beyond what is read of them. */
export type DescriptorKind = SocketKind | 'socket' | 'pipe' | 'device' | 'file' | 'other'

export interface Descriptor {
  readonly fd: number
  readonly kind: DescriptorKind
  /** Path of a file or a device; else the kernel’s name, such as `socket:[4711]`. */
  readonly target: string
  /** Addresses of a socket that the tables list, if they were read for this one. */
  readonly socket?: SocketRow
}

export interface DescriptorCounts {
  /** All descriptors of the process. */
  readonly total: number
  /** Of the first `maxDescriptors`. */
  readonly byKind: Readonly<Record<DescriptorKind, number>>
}

/** The process’s view of the kernel; a test replaces it. */
export interface DescriptorSource {
  /** Numbers of the open descriptors. Throws where the system has no such list. */
  list(): readonly string[]
  /** What a descriptor refers to. Throws if it is closed. */
  target(fd: string): string
  /** Rows of the kernel’s socket tables, for at least the wanted inodes if they are there. */
  sockets(wanted: ReadonlySet<string>): readonly SocketRow[]
}

/** Descriptors whose kind is read at most: a reading costs some microseconds for each. */
export const maxDescriptors = 4_096

const directory = '/proc/self/fd'
/** Linux has the list of descriptors; other systems have none that a process reads cheaply. */
export const linux: DescriptorSource = {
  list: () => readdirSync(directory),
  target: (fd) => readlinkSync(`${directory}/${fd}`),
  sockets: socketRows,
}

/**
 * Counts the descriptors of this process by kind, the sockets of native code included, which Node does not list. A
 * socket keeps its kind, so the kernel’s tables are read only when there is a new one.
 */
export class DescriptorReader {
  readonly #source: DescriptorSource
  /** Of the sockets of the last reading, by inode. */
  #kinds: ReadonlyMap<string, SocketKind | 'socket'> | undefined

  constructor(source: DescriptorSource = linux) {
    this.#source = source
  }

  /** Undefined where the system does not list descriptors. */
  read(): DescriptorCounts | undefined {
    const listing = listTargets(this.#source)
    if (listing === undefined) return undefined
    const kinds = this.#socketKinds(listing.targets.flatMap(({ target }) => inodeOf(target) ?? []))
    const byKind: Record<DescriptorKind, number> = {
      udp: 0,
      tcp: 0,
      unix: 0,
      socket: 0,
      pipe: 0,
      device: 0,
      file: 0,
      other: 0,
    }
    for (const { target } of listing.targets) byKind[kinds.get(inodeOf(target) ?? '') ?? plainKind(target)]++
    return { total: listing.targets.length + listing.unread, byKind }
  }

  #socketKinds(inodes: readonly string[]): ReadonlyMap<string, SocketKind | 'socket'> {
    const before = this.#kinds
    const unknown = new Set(inodes.filter((inode) => before?.has(inode) !== true))
    const rows = unknown.size === 0 ? [] : this.#source.sockets(unknown)
    const found = new Map(rows.map(({ inode, kind }) => [inode, kind]))
    const kinds = new Map(inodes.map((inode) => [inode, before?.get(inode) ?? found.get(inode) ?? 'socket']))
    this.#kinds = kinds
    return kinds
  }
}

/** Lists descriptors with the addresses of their sockets; undefined where the system has no list. */
export function listDescriptors(source: DescriptorSource = linux): readonly Descriptor[] | undefined {
  const listing = listTargets(source)
  if (listing === undefined) return undefined
  const inodes = new Set(listing.targets.flatMap(({ target }) => inodeOf(target) ?? []))
  const rows = new Map(source.sockets(inodes).map((row) => [row.inode, row]))
  return listing.targets.map(({ fd, target }) => {
    const socket = rows.get(inodeOf(target) ?? '')
    return { fd: Number(fd), kind: socket?.kind ?? plainKind(target), target, ...(socket && { socket }) }
  })
}

/** What the descriptors refer to, as the kernel names it; undefined where the system has no list. */
export function descriptorTargets(source: DescriptorSource = linux): readonly string[] | undefined {
  return listTargets(source)?.targets.map(({ target }) => target)
}

interface Listing {
  readonly targets: readonly { readonly fd: string; readonly target: string }[]
  readonly unread: number
}

function listTargets(source: DescriptorSource): Listing | undefined {
  let fds: readonly string[]
  try {
    fds = source.list()
  } catch {
    return undefined
  }
  const targets = fds.slice(0, maxDescriptors).flatMap((fd) => {
    try {
      return [{ fd, target: source.target(fd) }]
    } catch {
      // Closed since: the listing’s own descriptor always is.
      return []
    }
  })
  return { targets, unread: Math.max(0, fds.length - maxDescriptors) }
}

function inodeOf(target: string): string | undefined {
  return target.startsWith('socket:[') ? target.slice(8, -1) : undefined
}

function plainKind(target: string): Exclude<DescriptorKind, SocketKind> {
  if (target.startsWith('socket:')) return 'socket'
  if (target.startsWith('pipe:')) return 'pipe'
  if (target.startsWith('/dev/')) return 'device'
  return target.startsWith('/') ? 'file' : 'other'
}
