import { memoryPart } from '../diseases.ts'
import { type Instance, witnessOf } from '../evidence/instance.ts'
import type { Point } from '../evidence/series.ts'
import type { Finding } from '../finding.ts'
import { grownCollections } from '../judgement/application-counts.ts'
import {
  type CountedGrowth,
  growthFinding,
  growthIn,
  growthOfPoints,
  type Limits,
} from '../judgement/counted-growth.ts'
import { type ProtocolGrowth, protocolGrowths } from '../judgement/grown-streams.ts'
import { churnOf, judgeGrowth, partOf, pointsOf, valueAt } from '../judgement/growth.ts'
import { isOfLoad } from '../judgement/load.ts'
import { memoryFinding } from '../judgement/memory-finding.ts'
import { judgeMemory, memoryOf, slowsDown } from '../judgement/memory-floors.ts'
import { growingPoints, meshRegistriesOf, sizesAlone } from '../judgement/registry-counts.ts'
import { grownSockets } from '../judgement/socket-counts.ts'
import { brokenSinceMs, type Statement, statementsOf } from '../judgement/statements.ts'
import { growthUntilLimit } from '../judgement/stream-limits.ts'
import { residentBounds, thresholds } from '../judgement/thresholds.ts'
import type { Rule } from '../rule.ts'

const { steady, usual } = thresholds
/** The same as of the rules that judge these counts. */
const limitsByKey: Readonly<Record<string, Limits>> = {
  'mesh.audit.handlers': steady,
  'mesh.audit.topologies': steady,
  'mesh.audit.listeners': thresholds.listeners,
  'mesh.audit.listeners_signals': thresholds.signals,
  'mesh.audit.descriptors_file': thresholds.descriptors,
  'mesh.audit.descriptors_pipe': thresholds.descriptors,
  'mesh.audit.descriptors_other': thresholds.descriptors,
  'mesh.audit.gossip.subscriptions': thresholds.topics,
  'mesh.audit.gossip.other_subscriptions': thresholds.topics,
  'mesh.audit.gossip_peers': thresholds.gossip,
  'mesh.audit.gossip.streams_in': thresholds.gossip,
  'mesh.audit.gossip.streams_out': thresholds.gossip,
  'mesh.audit.unsettled': steady,
  'mesh.audit.draining': steady,
  'mesh.audit.closing': steady,
  'mesh.audit.suspects': steady,
  'mesh.audit.timers': thresholds.timers,
  'mesh.audit.timers_unref': thresholds.timers,
  'mesh.audit.listeners_connections': thresholds.connectionListeners,
  'mesh.telemetry.queued': thresholds.queue,
}

/** The load itself, what only rises by design, other units, and what is counted of neighbours or in another number too. */
const exceptedNames =
  /_total$|_bytes$|_s$|^mesh\.audit\.(peers|members|links|guests|connections|sweeps|frames_|closed\.|refused\.|limits|seeds|dht_|applications |sockets)|^mesh\.audit\.(gossip\.(topics|most_topics)|listeners_largest|protocols .* in)$|^mesh\.telemetry\.(?!queued)|^mesh\.registry\./
const countedNames = /^mesh\.(audit|telemetry)\./
/** What is counted expires with its messages, scores or addresses: only a longer rise is one. */
const slow =
  /^mesh\.audit\.(observed_addresses|gossip\.(seen|cached|deliveries|promises|backoff|scores|score_cache|peer_ips))$/
const slowMs = 4_500_000
const isStreams = /^mesh\.audit\.protocols .* out$/
const isLine = /^mesh\.audit\.(protocols|owned) /

/**
 * The last resort: something that the census counts grows for good, or a node says that its counts do not add up. A
 * finding of another rule about the same node explains it.
 */
export const growthUnknown: Rule = {
  name: 'growth-unknown',
  find: ({ instances }) => {
    const growths = protocolGrowths(instances)
    return instances.flatMap((instance) => findingOf(instance, isOtherEnd(instance, growths)) ?? [])
  },
}

/** What streams bring with them, at both of their ends. */
const ofStreams = /^mesh\.audit\.(streams|streams_half_closed|listeners_connections)$/

/** Whether the streams that grow at a process are those of another one. */
function isOtherEnd({ key, mesh }: Instance, growths: readonly ProtocolGrowth[]): boolean {
  const owners = growths.flatMap((one) => one.owners.map(({ instance }) => instance))
  return owners.some((owner) => owner.mesh === mesh) && !owners.some((owner) => owner.key === key)
}

interface UnknownGrowth {
  readonly name: string
  readonly found: CountedGrowth
}

function findingOf(instance: Instance, isOtherEnd: boolean): Finding | undefined {
  const statement = invariants.flatMap((invariant) => statementsOf(instance, invariant))[0]
  if (statement !== undefined) return statedFinding(statement)
  const collections = grownCollections(instance)
    .filter(({ doubt }) => doubt === undefined)
    .map(({ name, found }) => ({ name: `collection ${name}`, found }))
  const sockets = grownSockets(instance).map(({ kind, found }) => ({ name: `sockets_${kind}`, found }))
  const grown = [...grownCounts(instance, isOtherEnd), ...grownRegistries(instance), ...collections, ...sockets].sort(
    (a, b) => riseIn(b) - riseIn(a),
  )
  const [most, ...others] = grown
  if (most === undefined) return memoryFindingOf(instance)
  const text = { disease: 'growth-unknown', part: most.name, what: most.name, unit: 'entries' } as const
  const finding = growthFinding(instance, most.found, text)
  const names = others.slice(0, 4).map(({ name }) => name)
  return names.length === 0 ? finding : { ...finding, summary: `${finding.summary}; with it ${names.join(', ')}` }
}

/** Nothing that is counted grows, and the memory does: what collections leave, or else all of it. */
function memoryFindingOf(instance: Instance): Finding | undefined {
  const [heap, external] = [memoryOf(instance, 'heap'), memoryOf(instance, 'external')]
  const both = {
    floors: sum(heap.floors, external.floors),
    inUse: sum(heap.inUse, external.inUse),
    bounds: heap.bounds,
  }
  const resident = pointsOf(instance, 'process.memory.usage')
  const all = judgeGrowth(resident, residentBounds.least)
  const isLoad = all.is !== 'level' && isOfLoad(instance, resident, all.rise, residentBounds.loads)
  const inAll = isLoad || (all.is !== 'level' && slowsDown(resident, all.rise)) ? ({ is: 'level' } as const) : all
  const text = { disease: 'growth-unknown', part: memoryPart, what: 'memory of the process' } as const
  const ofFloors = memoryFinding(instance, both.floors, judgeMemory(instance, both), text)
  return [...ofFloors, ...memoryFinding(instance, resident, inAll, text)].find(
    ({ certainty }) => certainty === 'likely',
  )
}

function sum(points: readonly Point[], others: readonly Point[]): readonly Point[] {
  return points.map(({ atMs, value }) => ({ atMs, value: value + valueAt(others, atMs) }))
}

const invariants = [
  'connections-in-ledger',
  'one-link-per-pair',
  'connections-conserved',
  'registry-conserved',
  'registry-bound',
  'owned-conserved',
  'gossip-peers-connected',
  'peer-store-swept',
]

function statedFinding(statement: Statement): Finding {
  const { instance, invariant, owner, first, last } = statement
  const { 'mesh.expected': expected, 'mesh.actual': actual } = last.attributes
  return {
    disease: 'growth-unknown',
    owner: partOf(instance, owner),
    certainty: 'likely',
    sinceMs: brokenSinceMs(statement),
    summary: `the node says that ${invariant} is broken: ${actual} where ${expected} are expected`,
    proof: [first, last].map(witnessOf),
  }
}

function grownCounts(instance: Instance, isOtherEnd: boolean): UnknownGrowth[] {
  return instance.seriesOf('mesh.').flatMap(([key]): UnknownGrowth[] => {
    if (!countedNames.test(key) || exceptedNames.test(key) || (isOtherEnd && ofStreams.test(key))) return []
    const limits = limitsByKey[key] ?? usual
    const atLimit = isStreams.test(key) ? growthUntilLimit(instance, key) : undefined
    const found = atLimit ?? growthIn(instance, { key, isLine: isLine.test(key), ...limits })
    if (found === undefined || (slow.test(key) && found.rise.last.atMs - found.rise.since.atMs < slowMs)) return []
    return isExplained(instance, key, found) ? [] : [{ name: nameOf(key), found }]
  })
}

/** Records wait for a sweep, so churn raises them for a while. */
function isExplained(instance: Instance, key: string, found: CountedGrowth): boolean {
  const { least, perConnection } = usual
  if (!/^mesh\.audit\.(peer_store|peer_locks)/.test(key)) return false
  return riseIn({ found }) <= perConnection * churnOf(instance, found.rise) + least
}

function grownRegistries(instance: Instance): UnknownGrowth[] {
  const registries = [
    ...meshRegistriesOf(instance).map((one) => ({
      name: `registry ${one.name} of ${one.owner}`,
      points: growingPoints(one),
    })),
    ...sizesAlone(instance).map(({ name, points }) => ({ name: `registry ${name}`, points })),
  ]
  return registries.flatMap(({ name, points }): UnknownGrowth[] => {
    const found = growthOfPoints(instance, points, usual)
    return found === undefined ? [] : [{ name, found }]
  })
}

function nameOf(key: string): string {
  return key.replace(/^mesh\.audit\.(protocols |owned )?/, '').replace(/ held$/, '')
}

function riseIn({ found: { points, rise } }: Pick<UnknownGrowth, 'found'>): number {
  return valueAt(points, rise.last.atMs) - valueAt(points, rise.since.atMs)
}
