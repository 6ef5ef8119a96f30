import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Cluster, type NodeProcess, startCluster } from '../../testing/cluster/cluster.ts'
import type { ReceivedSpan } from '../../testing/otlp/otlp-receiver.ts'
import { endToEnd } from '../end-to-end.ts'
import { instanceOf, isLinkedTo, nameOf, numberOf, spansNamed } from '../evidence.ts'
import { promptSpans } from '../mesh/mesh.ts'
import { atLeast, atMost, type Check, equals, type ProofContext } from '../proof.ts'
import { root } from '../shell.ts'
import { churnNodes } from './churn.ts'
import { conservationChecks } from './conservation.ts'

/** From the plant to the first span that shows it. */
const seenWithinMs = 60_000
const warmUpMs = 40_000
const watchMs = 75_000
const entry = join(root, 'src/zoo/zoo-node.ts')

/** The spans of one node since the plant, with its last census before it. */
interface Evidence {
  readonly node: string
  readonly before: ReceivedSpan | undefined
  readonly spans: readonly ReceivedSpan[]
  readonly all: readonly ReceivedSpan[]
}

interface Fault {
  readonly name: string
  /** Point of the list of evidence that it plants. */
  readonly point: string
  readonly planted: string
  readonly env?: Readonly<Record<string, string>>
  /** What the spans say once they show the fault, with its owner; undefined until then, and for a clean node for ever. */
  readonly seen: (evidence: Evidence) => ReceivedSpan | undefined
}

const audits = ({ spans }: Evidence) => spansNamed(spans, 'mesh.audit')

/** The first census whose count has risen by `by` since the plant. */
function risen(attribute: string, by: number) {
  return (evidence: Evidence): ReceivedSpan | undefined => {
    // Absent before, for example a floor before the first major collection: it rises from nothing.
    const from = (evidence.before && numberOf(evidence.before, attribute)) || 0
    return audits(evidence).find((audit) => numberOf(audit, attribute) >= from + by)
  }
}

/** The first census with a line of this list for which the test holds. */
function listed(attribute: string, test: (line: string) => boolean) {
  return (evidence: Evidence): ReceivedSpan | undefined =>
    audits(evidence).find((audit) => (audit.attributes[attribute] as readonly string[] | undefined)?.some(test))
}

function suspected(invariant: string, owner: string) {
  return ({ spans }: Evidence): ReceivedSpan | undefined =>
    spansNamed(spans, 'mesh.leak.suspected').find(
      ({ attributes }) => attributes['mesh.invariant'] === invariant && attributes['mesh.invariant.owner'] === owner,
    )
}

const countIn = (line: string, index: number) => Number(line.split(' ')[index])
const mib = 1_048_576

const faults: readonly Fault[] = [
  {
    name: 'keeper',
    point: '1 ledger by state, pair invariant',
    planted: 'connections of a pair that nobody closes',
    env: { ZOO_FAULTS: 'keep-connections' },
    seen: suspected('one-link-per-pair', 'ledger'),
  },
  {
    name: 'keeper',
    point: '2 suspects',
    planted: 'the same connections, each linked to its birth',
    env: { ZOO_FAULTS: 'keep-connections' },
    seen: ({ spans, all }) =>
      spansNamed(spans, 'mesh.audit.suspect').find(
        (suspect) =>
          suspect.attributes['mesh.suspect.reason'] === 'superseded-open' &&
          spansNamed(all, 'mesh.connection.opened', nameOf(suspect)).some(({ traceId }) =>
            isLinkedTo(suspect, traceId),
          ),
      ),
  },
  {
    name: 'external',
    point: '3 floors after major collections',
    planted: 'buffers that nothing owns',
    seen: risen('mesh.memory.external_floor', 16 * mib),
  },
  {
    name: 'streams',
    point: '4 streams by protocol',
    planted: 'streams of /blobs/1.0.0',
    seen: listed('mesh.audit.protocols', (line) => line.startsWith('/blobs/1.0.0 ') && countIn(line, 2) >= 16),
  },
  {
    name: 'topics',
    point: '5 gossipsub’s tables',
    planted: 'topics subscribed past the mesh',
    seen: risen('mesh.audit.gossip.other_subscriptions', 16),
  },
  {
    name: 'peerstore',
    point: '5 libp2p’s tables',
    planted: 'records in the peer store',
    seen: risen('mesh.audit.peer_store', 32),
  },
  {
    name: 'selfseed',
    point: '6 seeds',
    planted: 'a seed that is the node itself',
    seen: listed('mesh.audit.seeds', (line) => line.split(' ')[1] === 'self'),
  },
  {
    name: 'grower',
    point: '7 registries by owner',
    planted: 'a registry that grows',
    env: { ZOO_FAULTS: 'grow-registry' },
    seen: ({ spans }) =>
      spansNamed(spans, 'mesh.audit.requests').find(
        (span) =>
          span.attributes['mesh.registry.owner'] === 'grower/fault' && numberOf(span, 'mesh.registry.size') >= 16,
      ),
  },
  {
    name: 'grower',
    point: '7 inventory by owner and kind',
    planted: 'its timer',
    env: { ZOO_FAULTS: 'grow-registry' },
    seen: listed('mesh.audit.owned', (line) => line.startsWith('grower/fault timer ')),
  },
  {
    name: 'sockets',
    point: '8 sockets by kind',
    planted: 'UDP sockets',
    seen: risen('mesh.audit.sockets_udp', 32),
  },
  { name: 'files', point: '8 descriptors', planted: 'open files', seen: risen('mesh.audit.descriptors_file', 32) },
  { name: 'timers', point: '8 unref’d timers', planted: 'intervals', seen: risen('mesh.audit.timers_unref', 128) },
  {
    name: 'registry',
    point: '12 registry()',
    planted: 'sessions that nobody deletes',
    seen: listed('mesh.audit.applications', (line) => line.startsWith('sessions ') && countIn(line, 1) >= 32),
  },
  {
    name: 'watch',
    point: '12 watch()',
    planted: 'a cache above its bound',
    seen: suspected('registry-bound', 'application cache'),
  },
  {
    name: 'listeners',
    point: '13 listeners',
    planted: 'listeners on peer:connect',
    seen: (evidence) =>
      audits(evidence).find(
        (audit) =>
          String(audit.attributes['mesh.audit.listeners_largest_event']).includes('peer:connect') &&
          numberOf(audit, 'mesh.audit.listeners_largest') >= 32,
      ),
  },
  {
    name: 'watch',
    point: '14 heap sites on suspicion',
    planted: 'the same cache, whose entries growCache makes',
    seen: ({ spans }) =>
      spansNamed(spans, 'mesh.heap.site').find(({ attributes }) => JSON.stringify(attributes).includes('growCache')),
  },
]

export const proof = endToEnd({
  name: 'planted-faults',
  about:
    'each kind of leak that is planted in a node shows in its spans within a minute, with its owner, and in no clean node',
  quick: false,
  seconds: 190,
  async run(context) {
    await using cluster = await startCluster(promptSpans)
    const nodes = await startNodes(cluster)
    const churn = new AbortController()
    const churning = churnNodes(cluster, 'clean', AbortSignal.any([churn.signal, context.signal]))
    try {
      context.progress(`${nodes.length} nodes and churn: ${warmUpMs / 1_000} s before the faults are planted`)
      await sleep(warmUpMs, undefined, { signal: context.signal })
      const plantedAt = Date.now()
      for (const node of nodes) if (node.name !== 'clean') node.kill('SIGUSR2')
      context.progress('planted')
      await sleep(watchMs, undefined, { signal: context.signal })
      churn.abort()
      const lives = await churning
      return results(cluster, context, plantedAt, lives)
    } finally {
      churn.abort()
      await churning
    }
  },
})

async function startNodes(cluster: Cluster): Promise<readonly NodeProcess[]> {
  const seeds = [cluster.address('clean')]
  const clean = await cluster.node('clean', { role: 'seed', entry })
  const nodes = [clean]
  for (const { name, env } of new Map(faults.map((fault) => [fault.name, fault])).values()) {
    const own = name === 'selfseed' ? [...seeds, cluster.address(name)] : seeds
    nodes.push(await cluster.node(name, { seeds: own, entry, env: { ZOO_PLANT: name, ...env } }))
  }
  // Both ends of a pair have to keep their connections, and in a mesh of this size two nodes may have no link.
  const pair = [cluster.address('keeper')]
  nodes.push(await cluster.node('keeper-2', { seeds: pair, entry, env: { ZOO_FAULTS: 'keep-connections' } }))
  return nodes
}

async function results(
  { receiver, nodes }: Cluster,
  { progress }: ProofContext,
  plantedAt: number,
  lives: readonly string[],
) {
  const all = receiver.spans
  const evidenceOf = (node: string): Evidence => {
    const own = all.filter((span) => nameOf(span) === node)
    const before = spansNamed(own, 'mesh.audit').findLast(({ endMs }) => endMs <= plantedAt)
    return { node, before, spans: own.filter(({ endMs }) => endMs > plantedAt), all }
  }
  const clean = evidenceOf('clean')
  const rows = faults.map(({ name, point, planted, seen }) => {
    const span = seen(evidenceOf(name))
    const sham = seen(clean)
    const afterS = span === undefined ? Number.NaN : (span.endMs - plantedAt) / 1_000
    return {
      point,
      planted,
      node: name,
      'seen in': span?.name ?? 'nothing',
      'after, s': Math.round(afterS),
      clean: sham?.name ?? 'nothing',
    }
  })
  for (const row of rows) progress(JSON.stringify(row))
  const seed = nodes().find(({ name }) => name === 'topics')
  const guilty = seed?.peer ?? ''
  const named = spansNamed(clean.spans, 'mesh.audit').filter(
    ({ attributes }) => attributes['mesh.audit.gossip.most_topics_peer'] === guilty,
  )
  const cleanLeaks = [
    ...spansNamed(clean.spans, 'mesh.leak.suspected'),
    ...spansNamed(clean.spans, 'mesh.audit.suspect'),
  ]
  const checks: Check[] = rows.flatMap((row) => [
    atMost(`${row.point}, ${row.planted}: seconds until its spans show it`, seenWithinMs / 1_000, row['after, s']),
    equals(`${row.point}: the same in the clean node`, 'nothing', row.clean),
  ])
  checks.push(
    equals(
      'leaks and suspects that the clean node reports',
      '',
      cleanLeaks.map(({ name, attributes }) => `${name} ${JSON.stringify(attributes)}`).join('; '),
    ),
    atLeast('5 contagion: censuses of the clean node that name the peer with most topics', 1, named.length),
    ...lifeChecks(all, lives),
    ...conservationChecks(all, 50),
  )
  return { figures: { rows, lives: lives.length }, checks }
}

/** Points 9, 10 and 11, on the short lives. */
function lifeChecks(all: readonly ReceivedSpan[], lives: readonly string[]): readonly Check[] {
  const ended = spansNamed(all, 'mesh.node.stopped').filter((span) => lives.includes(nameOf(span)))
  const instances = new Set(ended.map(instanceOf))
  const ofLives = all.filter((span) => instances.has(instanceOf(span)))
  const last = spansNamed(ofLives, 'mesh.audit').filter(
    ({ attributes }) => attributes['mesh.audit.cause'] === 'stopped',
  )
  const held = last.filter((span) => numberOf(span, 'mesh.audit.connections') > 0)
  const started = spansNamed(ofLives, 'mesh.node.started')
  const peers = new Set(ended.map(({ resource }) => String(resource['mesh.peer.self'])))
  const about = (name: 'mesh.member.left' | 'mesh.member.expired') =>
    spansNamed(all, name).filter(({ attributes }) => peers.has(String(attributes['mesh.peer.id']))).length
  return [
    atLeast('short lives', 10, instances.size),
    equals('9 last censuses of short lives', instances.size, last.length),
    equals('9 of them with a connection left', 0, held.length),
    equals(
      '10 starts with their limits',
      started.length,
      started.filter(({ attributes }) => Array.isArray(attributes['mesh.node.limits'])).length,
    ),
    atLeast('11 goodbyes heard', instances.size, about('mesh.member.left')),
    equals('11 departures of them that count as silence', 0, about('mesh.member.expired')),
  ]
}
