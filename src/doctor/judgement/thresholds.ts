import type { Limits } from './counted-growth.ts'
import { connections, type Load } from './load.ts'

export const mib = 1_048_576

/** What of a count is no leak: a rise that churn alone makes, and what each open connection may add. */
export const thresholds = {
  /** Entries that some users of an application add at once; a collection may have entries of each peer. */
  collection: { least: 16, perConnection: 2 },
  /** The same if none was ever released although so many connections ended meanwhile. */
  unreleased: { least: 8, perConnection: 2 },
  /** Entries that a few peers add at once; a peer has a record, and two connections for a while. */
  registry: { least: 16, perConnection: 2 },
  /** Members live without a connection, too: how many is known. */
  members: { least: 16, perConnection: 0 },
  /** Dials and connections that a burst of joins begins at once. */
  owned: { least: 16, perConnection: 4 },
  /** Records that peers leave until the next sweep; a peer that comes may bring the address of another one. */
  records: { least: 16, perConnection: 2 },
  /** A protocol has a stream per connection and direction; another one is open while its successor opens. */
  streams: { least: 16, perConnection: 2 },
  /** A dial has a socket of its own for a while. */
  sockets: { least: 12, perConnection: 2 },
  /** Timers of dials, streams and QUIC come and go with the churn: up to 80 of them, measured. */
  timers: { least: 120, perConnection: 6 },
  /** Those on libp2p’s own events are as many as its parts. */
  listeners: { least: 8, perConnection: 1 },
  signals: { least: 16, perConnection: 2 },
  /** Some nine for each stream. */
  connectionListeners: { least: 128, perConnection: 10, load: 'mesh.audit.streams' },
  /** The mesh itself opens a file for moments only. */
  descriptors: { least: 8, perConnection: 0 },
  /** More than an application of some parts subscribes to while it starts. */
  topics: { least: 8, perConnection: 0 },
  /** A few peers connect or leave between the two counts. */
  gossip: { least: 8, perConnection: 1 },
  /** Spans that a busy node has in its queue between two exports. */
  queue: { least: 1_000, perConnection: 0 },
  /** Counts without a rule: those of which even a few more are none of the load, and all others. */
  steady: { least: 12, perConnection: 1 },
  usual: { least: 48, perConnection: 8 },
} as const satisfies Readonly<Record<string, Limits>>

/** Times what a connection usually adds that it may add where a mesh scales out. */
export const scaleOutFactor = 8

/** Bytes that memory rises by at least. */
export interface MemoryBounds {
  /** Floors, within the warm-up and after it. */
  readonly anytime: number
  readonly warm: number
  /** Three floors, if the memory in use rises by `inUse` at each census meanwhile, too. */
  readonly three: number
  readonly inUse: number
  /** What each of these may take in a mesh that scales out. */
  readonly loads: readonly Load[]
}

/** Connections, messages that gossipsub remembers, and bytes of those that it can still send. */
function loads(perConnection: number): readonly Load[] {
  return [
    { ...connections, per: perConnection },
    { key: 'mesh.audit.gossip.seen', least: 1_000, per: 2_048 },
    { key: 'mesh.audit.gossip.cached_bytes', least: mib, per: 2 },
  ]
}

/**
 * The heap of clean nodes: floors rise by up to 9 MiB while it warms up, and spread over 5 MiB with the load; what is in
 * use rises by up to 11 MiB. A peer takes 41 kB, and up to five times as much while it is new. Measured.
 */
export const heapBounds: MemoryBounds = {
  anytime: 18 * mib,
  warm: 6 * mib,
  three: 14 * mib,
  inUse: 24 * mib,
  loads: loads(mib / 4),
}
/** Buffers that wait for the network show as single floors of up to 4 MiB more. */
export const externalBounds: MemoryBounds = {
  anytime: 12 * mib,
  warm: 3 * mib,
  three: 12 * mib,
  inUse: 24 * mib,
  loads: loads(mib / 8),
}
/** Clean nodes rise by up to 30 MiB in five minutes, most of it in the first two: pages that V8 and malloc retain. */
export const nativeBounds = { anytime: 80 * mib, warm: 64 * mib, loads: loads(mib) }
/** All of the resident memory. */
export const residentBounds = { least: 96 * mib, loads: loads(mib) }

/** The smallest rise that is a finding, by what is counted. */
const leastByUnit: Readonly<Record<string, number>> = {
  By: heapBounds.warm,
  entries: thresholds.registry.least,
  records: thresholds.records.least,
  streams: thresholds.streams.least,
  sockets: thresholds.sockets.least,
  timers: thresholds.timers.least,
  listeners: thresholds.listeners.least,
  descriptors: thresholds.descriptors.least,
  topics: thresholds.topics.least,
  spans: thresholds.queue.least,
}

/** How many times the least rise a rise is: by it, things that are counted differently compare. */
export function timesLeast(rise: number, unit: string): number {
  return rise / (leastByUnit[unit] ?? thresholds.registry.least)
}

/** Bytes that one of what is counted may hold, with all that belongs to it: what is beyond has another cause. */
const mostBytesByUnit: Readonly<Record<string, number>> = {
  By: 1,
  entries: mib,
  streams: mib,
  sockets: mib,
  spans: mib / 16,
  timers: mib / 16,
  listeners: mib / 16,
  /** A thread has some. */
  descriptors: 4 * mib,
  /** Of what no rule knows. */
  unknown: 4 * mib,
}

/** Bytes that a rise of a count may bring with it at most. */
export function mostBytesOf(rise: number, unit: string): number {
  return rise * (mostBytesByUnit[unit] ?? mib / 4)
}

/** The same of a fault that counts nothing: in all, and for each connection that came. */
export const mostUncounted = { bytes: 128 * mib, bytesPerEvent: mib }

/** Three intervals of the census: what a process said before may be over, or the latest spans were lost. */
export const currentMs = 95_000
