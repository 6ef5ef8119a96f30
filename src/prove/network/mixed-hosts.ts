import { loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AlertName } from '../../catalogue/alerts.ts'
import type { Cluster, NodeProcess } from '../../testing/cluster.ts'
import type { Network } from '../../testing/netns/network.ts'
import { each } from '../checks.ts'
import { nameOf, spansNamed } from '../evidence.ts'
import { atMost, type Check, equals, type ProofContext, type ProofResult, round } from '../proof.ts'
import { changeNetwork, type HostedNode, reachableCount, type Site, startHostedNodes } from './hosted-nodes.ts'
import { incompleteViews, type NodeView, timeUntil, viewsOf } from './node-view.ts'
import { type Page, pagesOf } from './pages.ts'

export interface MixedHosts {
  readonly network: Network
  readonly cluster: Cluster
  readonly seed: NodeProcess
  readonly site: Site
  /** Milliseconds from the start of all until the seed is killed: ten attempts at an address need about 213,000. */
  readonly watchedMs: number
  readonly context: ProofContext
}

/** Links that a node wants unless `MESH_NEIGHBOURS` says otherwise. */
const wanted = 8
/** Rightly: nobody reaches a seed that was killed. */
const aboutTheSeed: readonly AlertName[] = ['MeshSeedGiveup', 'MeshRetryStorm']
const seenMs = 60_000
/** Window and sweep, and what is slow about a machine. */
const expiredMs = 45_000
const againMs = 20_000

export interface MixedHostsResult extends ProofResult {
  readonly players: readonly HostedNode[]
  /** What all nodes knew just before the seed was killed. */
  readonly before: readonly NodeView[]
}

/** The whole cast joins through one seed, which is then killed. */
export async function runMixedHosts(mesh: MixedHosts): Promise<MixedHostsResult> {
  const { seed, site, cluster, context } = mesh
  const { progress, signal } = context
  const players = await startHostedNodes(mesh.network, cluster, site)
  const others = players.map(({ node }) => node)
  const began = performance.now()
  progress('all are started; one interface comes, another is renumbered twice')
  const changed = changeNetwork(players, site, signal)
  const joined = await joinedWithin([seed, ...others], true, seenMs, signal)
  await changed
  progress(
    `all see all after ${joined.seenMs} ms, neighbours are linked after ${joined.linkedMs} ms; watching for pages`,
  )
  await sleep(Math.max(0, mesh.watchedMs - (performance.now() - began)), undefined, { signal })
  const before = await viewsOf([seed, ...others])
  const pagesBefore = pagesOf(cluster.receiver.spans)
  const seedSpans = seedSpansByNode(cluster)
  progress('the seed is killed')
  seed.kill()
  const expired = async () => (await viewsOf(others)).every(({ members }) => members[seed.name] === undefined)
  const goneMs = await timeUntil(expired, expiredMs, signal)
  const again = await joinedWithin(others, false, againMs, signal)
  const after = await viewsOf(others)
  const pagesAfter = pagesOf(cluster.receiver.spans).filter(({ alert }) => !aboutTheSeed.includes(alert))
  return {
    players,
    before,
    figures: {
      joined,
      'seed gone after, ms': round(goneMs),
      again,
      pages: { before: pagesBefore, after: pagesAfter },
      'seed spans before the kill': seedSpans,
      links: Object.fromEntries(
        before.map(({ name, links, transports }) => [name, `${links.length} ${[...new Set(transports)]}`]),
      ),
      announced: before[0]?.members,
      spans: spanCounts(cluster),
      load: loadavg(),
    },
    checks: [
      atMost('all members see all after', seenMs, joined.seenMs, 'ms'),
      atMost('neighbours are linked after', seenMs, joined.linkedMs, 'ms'),
      ...stateChecks('before the seed is killed', before, true),
      atMost('the killed seed is gone from all views after', expiredMs, goneMs, 'ms'),
      ...stateChecks('then', after, false),
      equals('pages before the seed is killed', '', inWords(pagesBefore)),
      equals('pages by then, but for those about the seed itself', '', inWords(pagesAfter)),
    ],
  }
}

async function joinedWithin(nodes: readonly NodeProcess[], seedToo: boolean, limitMs: number, signal: AbortSignal) {
  const began = performance.now()
  const seen = await timeUntil(async () => incompleteViews(await viewsOf(nodes)).length === 0, limitMs, signal)
  const left = Math.max(0, limitMs - (performance.now() - began))
  const linked = await timeUntil(
    async () => (await viewsOf(nodes)).every((one) => hasNeighbours(one, seedToo)),
    left,
    signal,
  )
  return { seenMs: round(seen), linkedMs: round(seen + linked) }
}

function hasNeighbours({ name, links }: NodeView, seedToo: boolean): boolean {
  return links.length >= Math.min(wanted, reachableCount(name, seedToo && name !== 'seed'))
}

function stateChecks(when: string, sights: readonly NodeView[], seedToo: boolean): Check[] {
  const few = sights.map((sight) => ({
    name: sight.name,
    links: sight.links.length,
    enough: hasNeighbours(sight, seedToo),
  }))
  return [
    equals(`${when}: nodes that do not see all`, '', incompleteViews(sights).join('; ')),
    each(`${when}: nodes with as many links as they want, or can have`, 'all', few, ({ enough }) => enough),
  ]
}

function inWords(pages: readonly Page[]): string {
  return [...new Set(pages.map(({ alert, node }) => `${alert} of ${node}`))].join(', ')
}

/** How many attempts at seeds each node emitted, and how long after the first span of all the last retry was. */
function seedSpansByNode({ receiver }: Cluster): Record<string, string> {
  const began = Math.min(...receiver.spans.map(({ startMs }) => startMs))
  const nodes = [...Map.groupBy(receiver.spans, nameOf)].map(([node, spans]) => {
    const [retries, giveups] = [spansNamed(spans, 'mesh.seed.retry'), spansNamed(spans, 'mesh.seed.giveup')]
    const last = Math.round((Math.max(began, ...retries.map(({ endMs }) => endMs)) - began) / 1_000)
    return [node, `${retries.length} retries, the last after ${last} s, ${giveups.length} give-ups`] as const
  })
  return Object.fromEntries(nodes)
}

/** Spans of seeds and addresses, by name and how many nodes emitted them. */
function spanCounts({ receiver }: Cluster): Record<string, string> {
  const some = receiver.spans.filter(({ name }) => /^mesh\.(seed|address|member|node|limit|leak|link)\./.test(name))
  const counts = [...Map.groupBy(some, ({ name }) => name)].map(([name, spans]) => {
    return [name, `${spans.length} of ${new Set(spans.map(nameOf)).size} nodes`] as const
  })
  return Object.fromEntries(counts)
}
