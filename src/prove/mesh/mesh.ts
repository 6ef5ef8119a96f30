import type { SpanName } from '../../catalogue/spans.ts'
import { backoffPolicy } from '../../core/backoff.ts'
import type { PeerInfo, Topology } from '../../kit/views.ts'
import { type Cluster, type NodeProcess, until } from '../../testing/cluster/cluster.ts'
import { type AnySpan, emitterOf, isLinkedTo, numberOf, spansInTrace, spansNamed } from '../evidence.ts'

/** For proofs that wait for spans: nodes export them every 200 ms. */
export const promptSpans = { env: { OTEL_BSP_SCHEDULE_DELAY: '200' } } as const

/**
 * Within these milliseconds its neighbours close their links to a killed node, and all others expire it: a window, one
 * sweep, and a second for a slow machine.
 */
export const deathLimits = { closedMs: 4_000, expiredMs: 36_000 }

/** Starts a seed, then `node-1` to `node-<count>` at once, which dial it; the seed is the first of the result. */
export async function startMesh(
  cluster: Cluster,
  count: number,
  start: Cluster['node'] = cluster.node,
): Promise<[NodeProcess, ...NodeProcess[]]> {
  const seeds = [cluster.address('seed')]
  const seed = await start('seed', { role: 'seed' })
  const names = Array.from({ length: count }, (_, index) => `node-${index + 1}`)
  return [seed, ...(await Promise.all(names.map((name) => start(name, { seeds }))))]
}

export interface PairLink {
  readonly id: string
  /** Trace of its opening, as the dialler reports it. */
  readonly trace: string
  readonly transport: string
  /** Peer ids of both ends, the lower one first. */
  readonly ends: readonly [string, string]
}

export function topologyOf(node: NodeProcess): Promise<Topology> {
  return node.api<Topology>('/api/topology')
}

export function topologiesOf(nodes: readonly NodeProcess[]): Promise<Topology[]> {
  return Promise.all(nodes.map(topologyOf))
}

/** Peers with a link to this node. */
export async function linkedPeers(node: NodeProcess): Promise<readonly PeerInfo[]> {
  const { peers } = await topologyOf(node)
  return peers.filter(({ links }) => links.some(({ state }) => state === 'settled'))
}

export async function isLinked(node: NodeProcess, other: NodeProcess): Promise<boolean> {
  return (await linkedPeers(node)).some(({ peer }) => peer === other.peer)
}

/** Whether each of these nodes has exactly the others as members. */
export function haveFullMembership(topologies: readonly Topology[]): boolean {
  const all = topologies.map(({ self }) => self)
  return topologies.every(({ self, members }) => {
    const known = new Set([...members.map(({ peer }) => peer), self])
    return known.size === all.length && all.every((peer) => known.has(peer))
  })
}

/**
 * The links of a full mesh, or why it is not one: every pair has exactly one settled link, with the same id at both
 * ends.
 */
export function pairLinks(topologies: readonly Topology[]): readonly PairLink[] | string {
  const links: PairLink[] = []
  for (const [index, one] of topologies.entries()) {
    if (one.peers.length !== topologies.length - 1) return `${one.self} has ${one.peers.length} peers`
    for (const other of topologies.slice(index + 1)) {
      const here = singleSettledLink(one.peers, other.self)
      const there = singleSettledLink(other.peers, one.self)
      if (here === undefined || there === undefined)
        return `${one.self} and ${other.self} do not have one settled link each`
      if (here.id !== there.id) return `${here.id} is ${there.id} at the other end`
      const dialler = here.direction === 'outbound' ? here : there
      const ends = [one.self, other.self].sort() as [string, string]
      links.push({ id: here.id, trace: dialler.trace ?? '', transport: here.transport, ends })
    }
  }
  return links
}

/** Resolves with the links once all are members of each other and both ends of every pair agree on one link. */
export async function waitForFullMesh(nodes: readonly NodeProcess[], limitMs: number): Promise<readonly PairLink[]> {
  let links: readonly PairLink[] | string = 'no topology yet'
  const isFullMesh = async () => {
    const topologies = await topologiesOf(nodes)
    links = haveFullMembership(topologies) ? pairLinks(topologies) : 'membership is incomplete'
    return typeof links !== 'string'
  }
  await until(isFullMesh, limitMs, `${nodes.length} nodes with one link per pair`).catch((error: Error) => {
    throw new Error(typeof links === 'string' ? `${error.message}: ${links}` : error.message, { cause: error })
  })
  return typeof links === 'string' ? [] : links
}

function singleSettledLink(peers: readonly PeerInfo[], peer: string): PeerInfo['links'][number] | undefined {
  const links = peers.find((one) => one.peer === peer)?.links ?? []
  return links.length === 1 && links[0]?.state === 'settled' ? links[0] : undefined
}

/** Why the opening of this link is not one trace with the spans of both ends; empty when it is. */
export function openFault(spans: readonly AnySpan[], { id, trace, ends }: PairLink): string {
  const emittedSpans = spansInTrace(spans, trace)
  const [first, ...more] = emittedSpans.filter(({ parentSpanId }) => parentSpanId === '')
  if (first?.name !== 'mesh.connection.opened' || more.length > 0) return `${id}: the root is ${first?.name}`
  for (const name of ['mesh.connection.opened', 'mesh.hello.received'] as const) {
    const emitters = spansNamed(emittedSpans, name).map(emitterOf).sort()
    if (emitters.join() !== ends.join()) return `${id}: ${emitters.length} × ${name}`
  }
  return ''
}

/** Why the close of this link by `stopped` is not one trace with the spans of both ends; empty when it is. */
export function closeFault(spans: readonly AnySpan[], { id, trace, ends }: PairLink, stopped: string): string {
  const ofLink = spans.filter((span) => span.attributes['mesh.link.id'] === id)
  const [sent, ...moreSent] = spansNamed(ofLink, 'mesh.goodbye.sent')
  if (sent === undefined || moreSent.length > 0) return `${id}: ${moreSent.length} extra goodbyes, or none`
  const emittedSpans = spansInTrace(spans, sent.traceId)
  const received = spansNamed(emittedSpans, 'mesh.goodbye.received')
  const closed = spansNamed(emittedSpans, 'mesh.connection.closed')
  if (emitterOf(sent) !== stopped) return `${id}: the goodbye came from ${emitterOf(sent)}`
  if (received.length !== 1 || received.some((span) => emitterOf(span) === stopped)) return `${id}: no goodbye received`
  if (closed.map(emitterOf).sort().join() !== ends.join()) return `${id}: ${closed.length} × closed`
  const unlinked = [sent, ...received, ...closed].find((span) => !isLinkedTo(span, trace))
  return unlinked === undefined ? '' : `${id}: ${unlinked.name} is not linked to the opening trace`
}

/** Why this trace is not one campaign: a root, attempts below it with numbers from 1, one end. Empty when it is. */
export function campaignFault(trace: readonly AnySpan[], endName: SpanName): string {
  const [root, ...more] = spansNamed(trace, 'mesh.seed.dial')
  const ends = spansNamed(trace, endName)
  const attempts = [...spansNamed(trace, 'mesh.seed.retry').sort((a, b) => a.startMs - b.startMs), ...ends]
  const numbers = attempts.map((span) => numberOf(span, 'mesh.seed.attempt'))
  const stray = attempts.find(({ parentSpanId }) => parentSpanId !== root?.spanId)
  if (root === undefined || more.length > 0 || root.parentSpanId !== '') return 'no single root'
  if (ends.length !== 1) return `${ends.length} ends`
  if (numbers.some((number, index) => number !== index + 1)) return `attempts are numbered ${numbers.join(' ')}`
  return stray === undefined ? '' : `${stray.name} is not a child of its campaign`
}

/** Whether a seed dialler may wait `ms` after its attempt `n`; it may be so much shorter and longer. Milliseconds. */
export function isWait(n: number, ms: number, offMs: number, lateMs = offMs): boolean {
  const { stepsMs } = backoffPolicy
  const step = stepsMs[Math.min(n, stepsMs.length) - 1] ?? Number.NaN
  return ms >= step / 2 - offMs && ms <= step + lateMs
}
