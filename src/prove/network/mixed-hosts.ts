import { loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AlertName } from '../../catalogue/alerts.ts'
import type { Cluster, NodeProcess } from '../../testing/cluster/cluster.ts'
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
  /** Milliseconds from the start of all until the kill of the seed: ten attempts at an address need about 213,000. */
  readonly watchedMs: number
  readonly context: ProofContext
}

/** Default of `MESH_NEIGHBOURS`. */
const neighbours = 8
/** These page rightly: no node reaches a killed seed. */
const expectedPages: readonly AlertName[] = ['MeshSeedGiveup', 'MeshRetryStorm']
const membershipMs = 60_000
/** Window, sweep, and a margin for a slow machine. */
const expiredMs = 45_000
const relinkMs = 20_000

export interface MixedHostsResult extends ProofResult {
  readonly hostedNodes: readonly HostedNode[]
  /** Views of all nodes just before the kill of the seed. */
  readonly before: readonly NodeView[]
}

/** All hosts join through one seed, which is then killed. */
export async function runMixedHosts(mesh: MixedHosts): Promise<MixedHostsResult> {
  const { seed, site, cluster, context } = mesh
  const { progress, signal } = context
  const hostedNodes = await startHostedNodes(mesh.network, cluster, site)
  const others = hostedNodes.map(({ node }) => node)
  const began = performance.now()
  progress('all are started; one interface is attached, another is renumbered twice')
  const changed = changeNetwork(hostedNodes, site, signal)
  const joined = await joinedWithin([seed, ...others], true, membershipMs, signal)
  await changed
  progress(
    `membership is complete after ${joined.membershipMs} ms, neighbours are linked after ${joined.linkedMs} ms; watching for pages`,
  )
  await sleep(Math.max(0, mesh.watchedMs - (performance.now() - began)), undefined, { signal })
  const before = await viewsOf([seed, ...others])
  const pagesBefore = pagesOf(cluster.receiver.spans)
  const seedSpans = seedSpansByNode(cluster)
  progress('the seed is killed')
  seed.kill()
  const expired = async () => (await viewsOf(others)).every(({ members }) => members[seed.name] === undefined)
  const removedMs = await timeUntil(expired, expiredMs, signal)
  const relinked = await joinedWithin(others, false, relinkMs, signal)
  const after = await viewsOf(others)
  const pagesAfter = pagesOf(cluster.receiver.spans).filter(({ alert }) => !expectedPages.includes(alert))
  return {
    hostedNodes,
    before,
    figures: {
      joined,
      'seed removed after, ms': round(removedMs),
      relinked,
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
      atMost('complete membership after', membershipMs, joined.membershipMs, 'ms'),
      atMost('neighbours are linked after', membershipMs, joined.linkedMs, 'ms'),
      ...stateChecks('before the seed is killed', before, true),
      atMost('the killed seed is removed from all views after', expiredMs, removedMs, 'ms'),
      ...stateChecks('then', after, false),
      equals('pages before the seed is killed', '', describePages(pagesBefore)),
      equals('pages by then, except those about the seed itself', '', describePages(pagesAfter)),
    ],
  }
}

async function joinedWithin(nodes: readonly NodeProcess[], seedToo: boolean, limitMs: number, signal: AbortSignal) {
  const began = performance.now()
  const membership = await timeUntil(async () => incompleteViews(await viewsOf(nodes)).length === 0, limitMs, signal)
  const remainingMs = Math.max(0, limitMs - (performance.now() - began))
  const linked = await timeUntil(
    async () => (await viewsOf(nodes)).every((one) => hasNeighbours(one, seedToo)),
    remainingMs,
    signal,
  )
  return { membershipMs: round(membership), linkedMs: round(membership + linked) }
}

function hasNeighbours({ name, links }: NodeView, seedToo: boolean): boolean {
  return links.length >= Math.min(neighbours, reachableCount(name, seedToo && name !== 'seed'))
}

function stateChecks(when: string, views: readonly NodeView[], seedToo: boolean): Check[] {
  const counts = views.map((view) => ({
    name: view.name,
    links: view.links.length,
    enough: hasNeighbours(view, seedToo),
  }))
  return [
    equals(`${when}: nodes with incomplete membership`, '', incompleteViews(views).join('; ')),
    each(`${when}: nodes with their target number of links, or all possible`, 'all', counts, ({ enough }) => enough),
  ]
}

function describePages(pages: readonly Page[]): string {
  return [...new Set(pages.map(({ alert, node }) => `${alert} of ${node}`))].join(', ')
}

/** Retries and give-ups of each node, and the time of its last retry after the first span of all. */
function seedSpansByNode({ receiver }: Cluster): Record<string, string> {
  const began = Math.min(...receiver.spans.map(({ startMs }) => startMs))
  const nodes = [...Map.groupBy(receiver.spans, nameOf)].map(([node, spans]) => {
    const [retries, giveups] = [spansNamed(spans, 'mesh.seed.retry'), spansNamed(spans, 'mesh.seed.giveup')]
    const last = Math.round((Math.max(began, ...retries.map(({ endMs }) => endMs)) - began) / 1_000)
    return [node, `${retries.length} retries, the last after ${last} s, ${giveups.length} give-ups`] as const
  })
  return Object.fromEntries(nodes)
}

/** Number of spans and of emitting nodes, by span name. */
function spanCounts({ receiver }: Cluster): Record<string, string> {
  const selected = receiver.spans.filter(({ name }) => /^mesh\.(seed|address|member|node|limit|leak|link)\./.test(name))
  const counts = [...Map.groupBy(selected, ({ name }) => name)].map(([name, spans]) => {
    return [name, `${spans.length} of ${new Set(spans.map(nameOf)).size} nodes`] as const
  })
  return Object.fromEntries(counts)
}
