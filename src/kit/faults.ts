import type { Network } from '../core/events.ts'
import type { Clock } from '../core/machine.ts'
import type { Owner } from '../core/owner.ts'
import type { ExportLimits } from '../telemetry/exporter.ts'
import type { MeshLogger } from '../telemetry/log.ts'
import type { NetworkComponents } from './components.ts'

/** What a node can be told to do wrong, so that an alert can be seen to ring and to end. Nothing else reads these names. */
export const faultNames = [
  /** The staleness sweep never runs. */
  'hold-sweep',
  /** Connections are not closed, and each peer is dialled once more every two seconds; where both ends have the fault, all stay. */
  'keep-connections',
  /** A registry of the node grows by one entry every two seconds, for hours, almost to its bound. */
  'grow-registry',
  /** There is room for two spans, so that a start loses some, and every census whose registries leave. */
  'lose-spans',
  /** The clock that peers are told of is an hour ahead; the times of spans of `tracemesh node` are right. */
  'skew-clock',
  /** 256 MiB more are held. */
  'hold-memory',
  /** Every look at the process finds it out of file descriptors. */
  'no-descriptors',
] as const

export type Fault = (typeof faultNames)[number]

const skewMs = 3_600_000
/** A start emits half a dozen spans at once, whichever share of the routine leaves. */
const spansWithRoom = 2
const extraBytes = 256 * 1024 * 1024
/** Between two dials of one peer, and connections at which they end: each costs both ends some 100 KB. */
const dialAgainMs = 2_000
const maxConnections = 64
const dialMs = 5_000
/** Between two new entries; whether a rule looks back minutes or hours, it sees the same growth. */
const growMs = 2_000
const maxEntries = 8_192

/** Milliseconds between two sweeps; Infinity, which no configuration may say, is never. */
export function faultySweepMs(sweepMs: number, faults: readonly Fault[]): number {
  return faults.includes('hold-sweep') ? Infinity : sweepMs
}

export function faultyClock(clock: Clock, faults: readonly Fault[]): Clock {
  if (!faults.includes('skew-clock')) return clock
  return { now: () => clock.now(), wall: () => clock.wall() + skewMs, after: (ms, run) => clock.after(ms, run) }
}

/** Limits of telemetry in place of its own. */
export function faultyLimits(faults: readonly Fault[]): Partial<ExportLimits> {
  return faults.includes('lose-spans') ? { spans: spansWithRoom } : {}
}

/** What finds out whether the process can open a descriptor; undefined: the real one. */
export function faultyProbe(faults: readonly Fault[]): (() => void) | undefined {
  if (!faults.includes('no-descriptors')) return undefined
  return () => {
    throw Object.assign(new Error('no descriptor is left, on purpose'), { code: 'EMFILE' })
  }
}

/** What the driver performs its effects on. */
export function faultyNetwork(network: Network, faults: readonly Fault[]): Network {
  if (!faults.includes('keep-connections')) return network
  return {
    self: network.self,
    start: (deliver) => network.start(deliver),
    stop: () => network.stop(),
    snapshot: () => network.snapshot(),
    perform: (effect) => {
      if (effect.do !== 'close') network.perform(effect)
    },
  }
}

/** What a fault that goes on by itself works on. */
export interface FaultyParts {
  readonly owner: Owner
  readonly components: Pick<NetworkComponents, 'connectionManager' | 'transportManager'>
  readonly clock: Clock
  readonly logger: MeshLogger
}

/** Begins those faults that do something by themselves, and says in the log which there are. They end with the owner. */
export function startFaults(faults: readonly Fault[], parts: FaultyParts): void {
  if (faults.length === 0) return
  parts.logger.warn({ faults }, 'this node has faults on purpose (MESH_FAULTS, --fault)')
  if (faults.includes('keep-connections')) dialAgain(parts)
  if (faults.includes('grow-registry')) growRegistry(parts)
  if (faults.includes('hold-memory')) {
    // Written to, or it would not be resident.
    const memory = Buffer.alloc(extraBytes, 1)
    parts.owner.adopt('memory held by a fault', () => void memory.length)
  }
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
      // Libp2p ends even a connection that is open by the signal it was dialled with.
      const cancel = owner.after(dialMs, () => abort.abort())
      const dial = transportManager.dial(address, { signal: abort.signal })
      dial.catch(() => {}).finally(cancel)
    }
  })
}

/** One of the fixed names, since a registry has to have one; the owner in its census says whose it is. */
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
