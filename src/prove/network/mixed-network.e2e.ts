import { setTimeout as sleep } from 'node:timers/promises'
import { type AlertName, alertNames, alertOf } from '../../catalogue/alerts/alerts.ts'
import type { Cluster, NodeProcess } from '../../testing/cluster/cluster.ts'
import type { Host } from '../../testing/netns/host.ts'
import type { Attachment, Lan, Network } from '../../testing/netns/network.ts'
import type { ReceivedSpan } from '../../testing/otlp/otlp-receiver.ts'
import { endToEnd } from '../end-to-end.ts'
import { nameOf, spansNamed, timeUntil } from '../evidence.ts'
import { atMost, type Check, each, equals, type ProofContext } from '../proof.ts'
import { addressesAt, incompleteViews, listen, type NodeView, onNetwork, viewsOf } from './on-network.ts'

const ipv4 = (n: number) => `45.79.10.${n}`
const ipv6 = (n: number) => `2600:3c00::${n}`

/** Default of `MESH_NEIGHBOURS`. */
const neighbours = 8
/** These page rightly: no node reaches a killed seed. */
const expectedPages: readonly AlertName[] = ['MeshSeedGiveup', 'MeshRetryStorm']
const membershipMs = 60_000
/** Window, sweep, and a margin for a slow machine. */
const expiredMs = 45_000
const relinkMs = 20_000

const several = (name: string, first: number, rest: Omit<Machine, 'name' | 'n'>): Machine[] =>
  Array.from({ length: 5 }, (_, index) => ({ name: `${name}-${index + 1}`, n: first + index, ...rest }))

/** All hosts but the seed, which is number 1. */
const machines: readonly Machine[] = [
  { name: 'dual', n: 2, has: ['ipv4', 'ipv6'] },
  ...several('plain', 11, { has: ['ipv4'] }),
  ...several('bridges', 21, { has: ['bridged'], bridges: 20 }),
  { name: 'renumbered', n: 31, has: ['ipv4'] },
  { name: 'late', n: 41, has: ['ipv4'], bridges: 1, condition: 'late' },
  { name: 'udp-blocked', n: 51, has: ['ipv4'], condition: 'udp-blocked' },
  { name: 'ipv6-only', n: 61, has: ['ipv6'] },
]

/** Nodes that start at once: more would not start sooner on two cores. */
const startsAtOnce = 2

/** Interval between two changes of one address, in milliseconds. */
const changeIntervalMs = 15_000

const minuteMs = 60_000
const stepMs = 10_000

const rules: Partial<Record<AlertName, Rule>> = {
  MeshRetryStorm: retryStorm,
  MeshNodeAlone: alone,
  MeshMembersExpiredInBulk: expiredInBulk,
  // For nodes that end without a goodbye: a proof kills them on purpose.
  MeshNodeSilent: () => [],
}

export const proof = endToEnd({
  name: 'mixed-network',
  about:
    'sixteen hosts, public, bridged, renumbered, late, without UDP, with IPv6 only, are one mesh, also without its seed',
  quick: false,
  seconds: 295,
  run: (context) =>
    onNetwork('mixed-network', async (network, cluster) => {
      const lan = await network.lan('world')
      const host = await network.host('seed')
      const onLink = ['45.79.10.0/24', '10.88.0.0/24']
      const addresses = [`${ipv4(1)}/24`, `${ipv6(1)}/64`]
      await host.attach({ interface: 'eth0', lan, addresses, onLink: onLink.slice(1) })
      const site = {
        lan,
        ipv4: (n: number) => `${ipv4(n)}/24`,
        ipv6: (n: number) => `${ipv6(n)}/64`,
        bridged: (n: number) => `10.88.0.${n}/24`,
        onLink,
        gateways: [],
        seeds: addressesAt(ipv4(1), ipv6(1)),
        watchedMs: 225_000,
      }
      return await runMixedHosts(
        network,
        cluster,
        await cluster.node('seed', { role: 'seed', host, listen }),
        site,
        context,
      )
    }),
})

/** All hosts join through one seed, which is then killed. */
export async function runMixedHosts(
  network: Network,
  cluster: Cluster,
  seed: NodeProcess,
  site: Site,
  { progress, signal }: ProofContext,
) {
  const hostedNodes = await startHostedNodes(network, cluster, site)
  const others = hostedNodes.map(({ node }) => node)
  const began = performance.now()
  progress('all are started; one interface is attached, another is renumbered twice')
  const changed = changeNetwork(hostedNodes, site, signal)
  const joined = await joinedWithin([seed, ...others], true, membershipMs, signal)
  await changed
  progress(
    `membership is complete after ${joined.membershipMs} ms, links after ${joined.linkedMs} ms; watching for pages`,
  )
  await sleep(Math.max(0, site.watchedMs - (performance.now() - began)), undefined, { signal })
  const before = await viewsOf([seed, ...others])
  const pagesBefore = pagesOf(cluster.receiver.spans)
  const seedSpans = seedSpansByNode(cluster)
  progress('the seed is killed')
  seed.kill()
  const expired = async () => (await viewsOf(others)).every(({ members }) => members[seed.name] === undefined)
  const removedMs = await timeUntil(expiredMs, expired, signal)
  const relinked = await joinedWithin(others, false, relinkMs, signal)
  const after = await viewsOf(others)
  const pagesAfter = pagesOf(cluster.receiver.spans).filter(({ alert }) => !expectedPages.includes(alert))
  return {
    figures: {
      joined,
      'seed removed after, ms': removedMs,
      relinked,
      pages: { before: pagesBefore, after: pagesAfter },
      'seed spans before the kill': seedSpans,
      links: Object.fromEntries(
        before.map(({ name, links, transports }) => [name, `${links.length} ${[...new Set(transports)]}`]),
      ),
      announced: before[0]?.members,
      spans: spanCounts(cluster),
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
  const membershipMs = await timeUntil(limitMs, async () => incompleteViews(await viewsOf(nodes)).length === 0, signal)
  const remainingMs = Math.max(0, limitMs - (performance.now() - began))
  const areLinked = async () => (await viewsOf(nodes)).every((one) => hasNeighbours(one, seedToo))
  return { membershipMs, linkedMs: membershipMs + (await timeUntil(remainingMs, areLinked, signal)) }
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

/** The network of the hosts: their addresses, by host number. */
interface Site {
  readonly lan: Lan
  /** With prefix lengths. `bridged` are IPv4 addresses of the hosts with many other interfaces. */
  readonly ipv4: (n: number) => string
  readonly bridged: (n: number) => string
  readonly ipv6: (n: number) => string
  readonly onLink: readonly string[]
  readonly gateways: readonly string[]
  readonly seeds: readonly string[]
  /** Milliseconds from the start of all until the kill of the seed: ten attempts at an address need about 213,000. */
  readonly watchedMs: number
}

/** One host: its addresses, and its special condition. */
interface Machine {
  readonly name: string
  readonly n: number
  readonly has: readonly ('ipv4' | 'ipv6' | 'bridged')[]
  /** Container bridges that exist before the public interface. */
  readonly bridges?: number
  readonly condition?: 'late' | 'udp-blocked'
}

interface HostedNode {
  readonly machine: Machine
  readonly host: Host
  readonly node: NodeProcess
}

/** Starts a node on each host. The late one has only a container bridge until `changeNetwork`. */
async function startHostedNodes(network: Network, cluster: Cluster, site: Site): Promise<HostedNode[]> {
  const hostedNodes: HostedNode[] = []
  for (let first = 0; first < machines.length; first += startsAtOnce) {
    const batch = machines.slice(first, first + startsAtOnce)
    hostedNodes.push(...(await Promise.all(batch.map((machine) => start(network, cluster, site, machine)))))
  }
  return hostedNodes
}

async function start(network: Network, cluster: Cluster, site: Site, machine: Machine): Promise<HostedNode> {
  const host = await network.host(machine.name)
  await host.addContainerBridges(machine.bridges ?? 0)
  if (machine.condition !== 'late') await host.attach(attachment(site, machine))
  if (machine.condition === 'udp-blocked') await host.drop('eth0', 'udp')
  const node = await cluster.node(machine.name, { host, listen, seeds: site.seeds })
  return { machine, host, node }
}

function attachment(site: Site, { n, has }: Machine): Attachment {
  const addresses = has.map((kind) => site[kind](n))
  const family = (address: string) => (address.includes(':') ? 6 : 4)
  const reachable = (other: string) => addresses.some((own) => family(own) === family(other))
  const connected = addresses.map((address) => address.replace(/\.\d+\//, '.0/'))
  return {
    interface: 'eth0',
    lan: site.lan,
    addresses,
    onLink: site.onLink.filter((net) => reachable(net) && !connected.includes(net)),
    gateways: site.gateways.filter(reachable),
  }
}

/** Attaches the late interface, and renumbers another one twice. */
async function changeNetwork(hostedNodes: readonly HostedNode[], site: Site, signal: AbortSignal): Promise<void> {
  for (const { host, machine } of hostedNodes)
    if (machine.condition === 'late') await host.attach(attachment(site, machine))
  const renumbered = hostedNodes.find(({ machine }) => machine.name === 'renumbered')
  if (renumbered === undefined) return
  const { n } = renumbered.machine
  await renumbered.host.renumber('eth0', site.ipv4(n), site.ipv4(n + 1))
  await sleep(changeIntervalMs, undefined, { signal })
  await renumbered.host.renumber('eth0', site.ipv4(n + 1), site.ipv4(n + 2))
}

/** Number of nodes that share an IP version with this one; it can have links to these only. */
function reachableCount(name: string, seedToo: boolean): number {
  const kinds = (has: Machine['has']) => has.map((kind) => (kind === 'ipv6' ? 6 : 4))
  const own = kinds(machines.find((machine) => machine.name === name)?.has ?? ['ipv4', 'ipv6'])
  const others = machines.filter((other) => other.name !== name && kinds(other.has).some((kind) => own.includes(kind)))
  return others.length + (seedToo ? 1 : 0)
}

interface Page {
  readonly alert: AlertName
  readonly node: string
}

type Spans = readonly ReceivedSpan[]

/** The nodes for which an alert would have paged, or the first of several that did so together. */
type Rule = (spans: Spans) => readonly string[]

/**
 * Pages by the spans alone; promtool tests the rules themselves. An alert without a rule below, such as a new one,
 * pages for the first span that it searches for.
 */
export function pagesOf(spans: Spans): Page[] {
  const paging = alertNames.filter((name) => alertOf(name).severity === 'critical' && alertOf(name).about === 'mesh')
  return paging.flatMap((alert) => (rules[alert] ?? firstSpan(alert))(spans).map((node) => ({ alert, node })))
}

function firstSpan(alert: AlertName): Rule {
  const { search } = alertOf(alert)
  if (typeof search === 'string') throw new Error(`no rule decides when ${alert} pages`)
  return (spans) => [...new Set(spansNamed(spans, search.span).map(nameOf))]
}

/** At least three nodes, and half of all, retry in every minute of two minutes. */
function retryStorm(spans: Spans): string[] {
  const retries = spansNamed(spans, 'mesh.seed.retry')
  const nodes = new Set(spans.map(nameOf)).size
  const retrying = (at: number) => new Set(within(retries, at, minuteMs).map(nameOf)).size
  const storms = longest(retries, (at) => retrying(at) >= Math.max(3, nodes / 2))
  return storms < 2 * minuteMs ? [] : retries.slice(0, 1).map(nameOf)
}

/** A node has no link in any census of two minutes. */
function alone(spans: Spans): string[] {
  return nodesWhere(spansNamed(spans, 'mesh.audit'), (audits) => {
    const links = (at: number) => audits.findLast(({ endMs }) => endMs <= at)?.attributes['mesh.audit.links']
    return longest(audits, (at) => links(at) === 0) >= 2 * minuteMs
  })
}

/** A node expires at least three members, and a quarter of all, within two minutes. */
function expiredInBulk(spans: Spans): string[] {
  const least = Math.max(3, new Set(spans.map(nameOf)).size / 4)
  return nodesWhere(spansNamed(spans, 'mesh.member.expired'), (expired) =>
    expired.some(({ endMs }) => within(expired, endMs, 2 * minuteMs).length >= least),
  )
}

/** Names of the nodes of whose spans `holds` is true. */
function nodesWhere(spans: Spans, holds: (spansOfNode: Spans) => boolean): string[] {
  return [...Map.groupBy(spans, nameOf)].flatMap(([node, spansOfNode]) => (holds(spansOfNode) ? [node] : []))
}

/** Spans that ended in the `ms` before `at`. */
function within(spans: Spans, at: number, ms: number): Spans {
  return spans.filter(({ endMs }) => endMs > at - ms && endMs <= at)
}

/** The longest time for which `holds`, in milliseconds, evaluated every ten seconds from the first span to the last. */
function longest(spans: Spans, holds: (at: number) => boolean): number {
  const times = spans.map(({ endMs }) => endMs)
  let [most, since] = [0, Number.NaN]
  for (let at = Math.min(...times); at <= Math.max(...times) + minuteMs; at += stepMs) {
    if (!holds(at)) since = Number.NaN
    else if (Number.isNaN(since)) since = at
    else most = Math.max(most, at - since)
  }
  return most
}
