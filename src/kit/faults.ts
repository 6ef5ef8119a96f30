import type { Network } from '../core/events.ts'
import { limits } from '../core/limits.ts'
import type { Clock } from '../core/machine.ts'
import type { Owner } from '../core/owner.ts'
import type { MeshLogger } from '../telemetry/log.ts'
import type { ExportLimits } from '../telemetry/outbox.ts'
import type { NetworkComponents, PubSub } from './components.ts'
import type { GossipInternals } from './gossip/gossip-internals.ts'

/** Faults to inject, to see an alert fire and resolve. Only this file acts on these names. */
export const faultNames = [
  /** The staleness sweep never runs. */
  'hold-sweep',
  /** Closes no connection, and dials each peer once more every two seconds; with the fault on both ends all stay. */
  'keep-connections',
  /** Grows a registry by one entry every two seconds, for hours, almost to its bound. */
  'grow-registry',
  /** The export queue holds two spans, so a start loses some, and so does every census that exports registries. */
  'lose-spans',
  /** The clock that peers see is an hour ahead; the times of spans of `tracemesh node` are right. */
  'skew-clock',
  /** Holds 256 MiB more. */
  'hold-memory',
  /** Gossipsub’s tables are not swept, and its mesh gets another peer without a connection every two seconds. */
  'keep-ghosts',
  /** Subscribes gossipsub to another topic every two seconds, past the mesh. */
  'grow-topics',
  /** Every probe of the process finds no free file descriptor. */
  'no-descriptors',
] as const

export type Fault = (typeof faultNames)[number]

const skewMs = 3_600_000
/** A start emits half a dozen spans at once, at any share of routine spans. */
const spansWithRoom = 2
const extraBytes = 256 * 1024 * 1024
/** Interval of the dials of one peer, and connections at which they stop: each costs both ends some 100 KB. */
const dialAgainMs = 2_000
const maxConnections = 64
const dialMs = 5_000
/** Interval of new entries; a rule sees the same growth over minutes as over hours. */
const growMs = 2_000
const maxEntries = 8_192

export function holdsSweep(faults: readonly Fault[]): boolean {
  return faults.includes('hold-sweep')
}

export function faultyClock(clock: Clock, faults: readonly Fault[]): Clock {
  if (!faults.includes('skew-clock')) return clock
  return { now: () => clock.now(), wall: () => clock.wall() + skewMs, after: (ms, run) => clock.after(ms, run) }
}

/** Overrides of the export limits. */
export function faultyLimits(faults: readonly Fault[]): Partial<ExportLimits> {
  return faults.includes('lose-spans') ? { queuedSpans: spansWithRoom } : {}
}

export function sweepsGossip(faults: readonly Fault[]): boolean {
  return !faults.includes('keep-ghosts')
}

/** Replaces the probe for a free descriptor; undefined keeps the real one. */
export function faultyProbe(faults: readonly Fault[]): (() => void) | undefined {
  if (!faults.includes('no-descriptors')) return undefined
  return () => {
    throw Object.assign(new Error('injected fault: no free descriptor'), { code: 'EMFILE' })
  }
}

/** The network on which the driver performs its effects. */
export function faultyNetwork(network: Network, faults: readonly Fault[]): Network {
  if (!faults.includes('keep-connections')) return network
  return {
    self: network.self,
    start: (deliver) => network.start(deliver),
    stop: () => network.stop(),
    snapshot: () => network.snapshot(),
    observe: () => network.observe(),
    perform: (effect) => {
      if (effect.do !== 'close') network.perform(effect)
    },
  }
}

/** Parts of the node that running faults use. */
export interface FaultyParts {
  readonly owner: Owner
  readonly components: Pick<NetworkComponents, 'connectionManager' | 'transportManager'>
  readonly clock: Clock
  readonly logger: MeshLogger
  /** Undefined without js gossipsub. */
  readonly gossip?: Pick<GossipInternals, 'mesh'> | undefined
  readonly pubsub?: Pick<PubSub, 'subscribe'> | undefined
}

/** Starts the faults that run by themselves, and logs all of them. They end with the owner. */
export function startFaults(faults: readonly Fault[], parts: FaultyParts): void {
  if (faults.length === 0) return
  parts.logger.warn({ faults }, 'injected faults are active (MESH_FAULTS, --fault)')
  if (faults.includes('keep-connections')) dialAgain(parts)
  if (faults.includes('grow-registry')) growRegistry(parts)
  const { gossip, pubsub } = parts
  if (faults.includes('keep-ghosts') && gossip !== undefined) {
    growOne(parts.owner, limits.peers, (index) => {
      for (const peers of gossip.mesh.values()) (peers as Set<string>).add(`ghost-${index}`)
    })
  }
  if (faults.includes('grow-topics') && pubsub !== undefined)
    growOne(parts.owner, limits.topics, (index) => pubsub.subscribe(`fault-${index}`))
  if (faults.includes('hold-memory')) {
    // Filled, as untouched memory would not be resident.
    const memory = Buffer.alloc(extraBytes, 1)
    parts.owner.adopt('memory held by a fault', () => void memory.length)
  }
}

/** Calls `add` with 1, 2, and so on up to `most`, with a pause between two. */
function growOne(owner: Owner, most: number, add: (index: number) => void, index = 1): void {
  add(index)
  if (index < most) owner.after(growMs, () => growOne(owner, most, add, index + 1))
}

function dialAgain(parts: FaultyParts): void {
  const { owner, components } = parts
  const { connectionManager, transportManager } = components
  owner.after(dialAgainMs, () => {
    dialAgain(parts)
    const open = connectionManager.getConnections()
    if (open.length >= maxConnections) return
    const dialledAddresses = open
      .filter(({ direction }) => direction === 'outbound')
      .map(({ remoteAddr }) => remoteAddr)
    const distinctAddresses = new Map(dialledAddresses.map((address) => [address.toString(), address])).values()
    for (const address of distinctAddresses) {
      const abort = new AbortController()
      // The signal of the dial would also end the open connection.
      const cancel = owner.after(dialMs, () => abort.abort())
      const dial = transportManager.dial(address, { signal: abort.signal })
      dial.catch(() => {}).finally(cancel)
    }
  })
}

/** Uses one of the fixed registry names; the owner in the census identifies the fault. */
function growRegistry({ owner, clock }: FaultyParts): void {
  const faultOwner = owner.child('fault')
  const registry = faultOwner.map<number, object>({
    name: 'requests',
    capacity: maxEntries,
    expiry: { event: 'the node stops' },
    release: () => {},
  })
  const grow = () => {
    registry.set(registry.size, {}, clock.now())
    if (registry.size < maxEntries - 1) faultOwner.after(growMs, grow)
  }
  grow()
}
