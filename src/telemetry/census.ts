import { ageBand, sizeBand } from '../catalogue/bands.ts'
import type { RegistryName } from '../catalogue/registries.ts'
import { emitSpan, type SpanEffect } from '../catalogue/span-effect.ts'
import type { Random } from '../core/machine.ts'
import type { RegistryCensus } from '../core/owned-map.ts'
import { childOf, newTrace, type TraceRef } from '../core/trace.ts'
import type { CensusInput, LedgerLink } from './census-input.ts'
import { findingsOf } from './findings.ts'

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

function countsOf({ links, connections, counts, frames, sweeps, vitals }: CensusInput) {
  const inState = (state: LedgerLink['state']): number => links.filter((link) => link.state === state).length
  return {
    'mesh.audit.peers': counts.peers,
    'mesh.audit.members': counts.members,
    'mesh.audit.links': inState('joined'),
    'mesh.audit.guests': inState('guest'),
    'mesh.audit.connections': connections.length,
    'mesh.audit.streams': counts.streams,
    'mesh.audit.gossip_peers': counts.gossipPeers,
    'mesh.audit.peer_store': counts.peerStore,
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
