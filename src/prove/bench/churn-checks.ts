import {
  type ChurnOptions,
  type ChurnReport,
  type ChurnSideReport,
  type Held,
  runChurn,
  type Traffic,
} from '../../bench/churn/churn.ts'
import { ours, reference } from '../../bench/sides.ts'
import { atLeast, atMost, type Check, equals, notShown, type ProofContext, type ProofResult } from '../proof.ts'

/** Bytes of each life that may stay. */
const maxBytes = 64
const maxP99Ratio = 2
/** Lives that may fail, and on a machine that tests share. */
const maxFailedShare = { alone: 0.01, shared: 0.1 }
/** Of the departed peers, the share that the same reading must find in stock's tables: it would see them in ours. */
const seenInStock = 0.9
/** Milliseconds that gossipsub remembers the id of a message (`seenTTL`), and messages of the mesh beside the traffic. */
const messageTtlMs = 120_000
const ownMessagesPerS = 2
/** Each message of the traffic has two receivers; a life repeats its greeting until a peer gets it. */
const receivers = 2
const greetings = 2

/** Tables of gossipsub with an entry for each message. */
const messageTables = [
  'gossipsub.seenCache.entries',
  'gossipsub.fastMsgIdCache.entries',
  'gossipsub.publishedMessageIds.entries',
  'gossipsub.score.deliveryRecords.records',
  'gossipsub.mcache.msgs',
]

/**
 * Variables for nodes with windows of `ms`: within five of them expires all but grudges, tombstones after four. A
 * reading after such a rest has only what stays.
 */
export function shortWindows(ms: number): NodeJS.ProcessEnv {
  const quarter = `${ms / 4}`
  return {
    MESH_STALENESS_MS: `${ms}`,
    MESH_DIGEST_MS: quarter,
    MESH_SWEEP_MS: quarter,
    BENCH_PEER_STORE_SWEEP_MS: `${ms}`,
  }
}

/** Runs the bench, and checks what stayed at ours. */
export async function proveChurn(
  options: ChurnOptions,
  { seed, progress, signal }: ProofContext,
): Promise<ProofResult> {
  const report = await runChurn({ ...options, seed }, { progress, signal })
  const side = report.sides[ours]
  if (side === undefined) throw new Error('the bench did not measure ours')
  const checks = [
    ...livesChecks(side, options),
    ...tableChecks(side, options),
    ...memoryChecks(side, report),
    equals('handles and descriptors left', '', listOf(side.handles)),
    ...trafficChecks(side, options),
    ...stockChecks(report.sides[reference]),
  ]
  return { figures: figuresOf(report), checks }
}

function livesChecks({ lives, failed, last }: ChurnSideReport, { events, stock }: ChurnOptions): Check[] {
  const share = stock ? maxFailedShare.alone : maxFailedShare.shared
  return [
    atLeast('lives', events, lives),
    atMost('lives that did not join and talk', Math.ceil(lives * share), failed),
    equals('connected peers in the end, the steady ones', 2, last.peers),
    equals('connections in the end', 2, last.connections),
  ]
}

/** Peers that left may stay as a grudge or as a tombstone, both of which have a bound of their own. */
function tableChecks({ last, departed, ...side }: ChurnSideReport, options: ChurnOptions): Check[] {
  const [grudges, members] = [registryOf(last, 'grudges'), registryOf(last, 'members')]
  const tombstones = Math.max(0, members.size - last.peers)
  const allowed = grudges.size + tombstones
  const [most = 0, table = 'none'] =
    Object.entries(departed)
      .map(([name, count]) => [count, name] as const)
      .toSorted(([a], [b]) => b - a)[0] ?? []
  const messages = recentMessages(side, options)
  return [
    atMost(`departed peers in any table (${table}), grudges and tombstones allowed`, allowed, most),
    atMost('grudges and tombstones, of their bounds', grudges.capacity + members.capacity, allowed),
    ...last.registries.map(({ name, size, capacity }) => atMost(`entries of the registry ${name}`, capacity, size)),
    ...messageTables.map((name) => atMost(`entries of ${name}, within its time`, messages, sizeOf(last, name))),
  ]
}

/** At most so many messages are young enough to be remembered. */
function recentMessages(
  { traffic, lives }: Pick<ChurnSideReport, 'traffic' | 'lives'>,
  { rest, rate, traffic: perS }: ChurnOptions,
): number {
  const published = ({ expected = 0 }: Partial<Traffic> = {}) => expected / receivers
  const own = (messageTtlMs / 1_000) * ownMessagesPerS
  const recent = published(traffic.after) + own
  if (rest * 1_000 > messageTtlMs) return recent
  const all = recent + published(traffic.before) + published(traffic.during) + greetings * lives
  return Math.min(all, (messageTtlMs / 1_000) * (perS + greetings * rate) + own)
}

/** The growth of floors, of a run that is long enough. Not of the code, which V8 makes for each function once. */
function memoryChecks({ growth }: ChurnSideReport, { options }: ChurnReport): Check[] {
  if (!options.stock) return []
  return (['objects', 'external'] as const).map((kind) => {
    const what = `bytes of ${kind} kept of each life, upper end of 95 %`
    const high = growth[kind]?.high
    if (high === undefined)
      return notShown(what, `at most ${maxBytes} B`, `too few readings of ${options.events} lives`)
    return atMost(what, maxBytes, high, 'B')
  })
}

/** Latencies only of a run that has the machine for itself, as one beside stock does. */
function trafficChecks({ traffic }: ChurnSideReport, { stock }: ChurnOptions): Check[] {
  const { before, during, after } = traffic
  const p99 = (of: typeof before) => of?.p99Ms ?? Number.NaN
  const delivered = Object.entries(traffic).map(([kind, { delivered, expected }]) =>
    equals(`messages ${kind} churn that arrived`, expected, delivered),
  )
  if (!stock) return delivered
  return [
    ...delivered,
    atMost('p99 during churn, over that before', maxP99Ratio, p99(during) / p99(before)),
    atMost('p99 after churn, over that before', maxP99Ratio, p99(after) / p99(before)),
  ]
}

/** The control: without our part the same readings find the peers that left. */
function stockChecks(stock: ChurnSideReport | undefined): Check[] {
  if (stock === undefined) return []
  const least = Math.floor(seenInStock * stock.lives)
  return [
    atLeast('departed peers in the peer store of stock', least, stock.departed['datastore.data'] ?? 0),
    atLeast('departed peers in the scores of stock', least, stock.departed['gossipsub.score.peerStats'] ?? 0),
  ]
}

/** The readings between first and last would be most of the output. */
function figuresOf({ sides, ...report }: ChurnReport): ProofResult['figures'] {
  const withoutReadings = ({ readings, ...side }: ChurnSideReport) => ({
    ...side,
    floors: readings.map(({ lives, held: { memory } }) => ({
      lives,
      objects: memory.objects,
      compiled: memory.compiled,
      external: memory.external,
    })),
  })
  return {
    ...report,
    sides: Object.fromEntries(Object.entries(sides).map(([name, side]) => [name, withoutReadings(side)])),
  }
}

function registryOf({ registries }: Held, wanted: string): Held['registries'][number] {
  const found = registries.find(({ name }) => name === wanted)
  if (found === undefined) throw new Error(`the node has no registry ${wanted}`)
  return found
}

function sizeOf({ tables }: Held, wanted: string): number {
  return tables.find(({ name }) => name === wanted)?.size ?? 0
}

function listOf(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([kind, count]) => `${count} ${kind}`)
    .join(', ')
}
