import { ageBand, sizeBand } from '../catalogue/bands.ts'
import type { Libp2pCount, RegistryName } from '../catalogue/registries.ts'
import { emitSpan, type SpanEffect } from '../catalogue/span-effect.ts'
import type { Random } from '../core/machine.ts'
import type { RegistryCensus } from '../core/owned-map.ts'
import type { Inventory } from '../core/owner.ts'
import { childOf, newTrace, type TraceRef } from '../core/trace.ts'
import { findingsOf } from './findings.ts'
import type { Vitals } from './vitals.ts'

/** A link in the ledger. */
export interface LedgerLink {
  readonly connection: string
  readonly peer: string
  /** `superseded`: another link of the pair won, and this one drains. */
  readonly state: 'joined' | 'guest' | 'unsettled' | 'superseded' | 'closing'
  /** Milliseconds since it opened, and since it entered this state. */
  readonly ageMs: number
  readonly stateMs: number
  /** The application’s own connection to a guest; it may have several to one peer. */
  readonly shared?: boolean
}

/** A connection that libp2p has open. */
export interface OpenConnection {
  readonly id: string
  readonly peer: string
  readonly ageMs: number
}

/** What every layer counts at one moment; the kit's `census-taker.ts` reads it. */
export interface CensusInput {
  readonly inventory: Inventory
  readonly links: readonly LedgerLink[]
  readonly connections: readonly OpenConnection[]
  readonly counts: { readonly peers: number; readonly members: number }
  readonly libp2p: Readonly<Record<Libp2pCount, number>>
  /** Frames since the start. */
  readonly frames: { readonly in: number; readonly out: number; readonly refused: number }
  readonly vitals: Vitals
  /** Sweeps over the members since the start. */
  readonly sweeps: number
  readonly telemetry: { readonly queued: number; readonly lostTotal: number; readonly sampledOut: number }
}

/** The census as spans: `mesh.audit`, one child per registry, and one per suspect and broken invariant. */
export function censusSpans(input: CensusInput, window: TraceRef | undefined, random: Random): SpanEffect[] {
  const ref = window === undefined ? newTrace(random) : childOf(window, random)
  const findings = findingsOf(input)
  const verdict = findings.layersDiffer ? 'differs' : 'consistent'
  const counts = { ...countsOf(input), ...healthOf(input), ...sizesOf(input.inventory.registries) }
  const audit = emitSpan(
    'mesh.audit',
    { 'mesh.audit.verdict': verdict, ...counts },
    { ref, ...(window && { parent: window }) },
  )
  const options = { parent: ref }
  return [
    audit,
    ...input.inventory.registries.map((registry) => registrySpan(registry, ref)),
    ...findings.suspects.map((suspect) =>
      emitSpan(
        'mesh.audit.suspect',
        {
          'mesh.connection.id': suspect.connection,
          'mesh.peer.id': suspect.peer,
          'mesh.suspect.reason': suspect.reason,
          'mesh.connection.age_band': ageBand(suspect.ageMs),
        },
        options,
      ),
    ),
    ...findings.brokenInvariants.map(({ invariant, expected, actual }) =>
      emitSpan(
        'mesh.leak.suspected',
        { 'mesh.invariant': invariant, 'mesh.expected': expected, 'mesh.actual': actual },
        options,
      ),
    ),
  ]
}

function countsOf({ links, connections, counts, libp2p, frames, sweeps, vitals }: CensusInput) {
  const inState = (state: LedgerLink['state']): number => links.filter((link) => link.state === state).length
  return {
    'mesh.audit.peers': counts.peers,
    'mesh.audit.members': counts.members,
    'mesh.audit.links': inState('joined'),
    'mesh.audit.guests': inState('guest'),
    'mesh.audit.connections': connections.length,
    ...libp2p,
    'mesh.audit.sockets': vitals.sockets,
    'mesh.audit.timers': vitals.timers,
    'mesh.audit.frames_in': frames.in,
    'mesh.audit.frames_out': frames.out,
    'mesh.audit.frames_refused': frames.refused,
    'mesh.audit.sweeps': sweeps,
  }
}

function healthOf({ vitals, telemetry }: CensusInput) {
  return {
    'process.memory.usage': vitals.memoryBytes,
    'v8js.memory.heap.used': vitals.heapBytes,
    'process.cpu.time': vitals.cpuSeconds,
    'nodejs.eventloop.delay.p99': vitals.loopDelayP99,
    'nodejs.eventloop.delay.max': vitals.loopDelayMax,
    'mesh.telemetry.queued': telemetry.queued,
    'mesh.telemetry.lost_total': telemetry.lostTotal,
    'mesh.telemetry.sampled_out': telemetry.sampledOut,
  }
}

/** Adds up registries of one name: a bridge has one per mesh. */
function sizesOf(registries: readonly RegistryCensus[]) {
  const sizes: Partial<Record<`mesh.registry.${RegistryName}.size`, number>> = {}
  for (const { name, size } of registries) {
    const key = `mesh.registry.${name}.size` as const
    sizes[key] = (sizes[key] ?? 0) + size
  }
  return sizes
}

/** The registry's name ends the span's name; all registry spans carry the same attributes. */
function registrySpan(registry: RegistryCensus, parent: TraceRef): SpanEffect {
  const { replaced, removed, expired, evicted, closed } = registry.byReason
  const attributes = {
    'mesh.registry.name': registry.name,
    'mesh.registry.owner': registry.owner,
    'mesh.registry.size': registry.size,
    'mesh.registry.size_band': sizeBand(registry.size),
    'mesh.registry.capacity': registry.capacity,
    'mesh.registry.high': registry.highWaterMark,
    'mesh.registry.added': registry.added,
    'mesh.registry.released': registry.released,
    'mesh.registry.replaced': replaced,
    'mesh.registry.removed': removed,
    'mesh.registry.expired': expired,
    'mesh.registry.evicted': evicted,
    'mesh.registry.closed': closed,
    'mesh.registry.oldest_band': ageBand(registry.oldestMs),
  }
  return emitSpan<`mesh.audit.${RegistryName}`>(`mesh.audit.${registry.name}`, attributes, { parent })
}
