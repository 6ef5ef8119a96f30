import type { Topology } from '../../kit/views.ts'
import { type Cluster, type NodeProcess, until } from '../../testing/cluster/cluster.ts'
import type { MisbehavingPeer } from '../../testing/cluster/misbehaving-peer.ts'
import type { ReceivedSpan } from '../../testing/otlp/otlp-receiver.ts'
import { each } from '../checks.ts'
import { numberOf, spansNamed } from '../evidence.ts'
import { type Check, equals, type ProofContext } from '../proof.ts'
import { type Misbehaviour, randomFrames } from './malformed-frames.ts'
import { type PairLink, pairLinks, topologiesOf } from './mesh.ts'

const removalLimitMs = 5_000
const spanLimitMs = 5_000
const censusLimitMs = 35_000
const reasonIn = { 'mesh.frame.refused': 'mesh.frame.reason', 'mesh.link.refused': 'mesh.error.message' } as const

/** One misbehaviour: the node emits a span with the reason and ends the connection. */
export async function misbehaviourCheck(
  { receiver }: Cluster,
  misbehaving: MisbehavingPeer,
  misbehaviour: Misbehaviour,
): Promise<Check> {
  const { what, saying, span, reason } = misbehaviour
  const before = spansNamed(receiver.spans, span).length
  const spanOfPeer = ({ attributes }: ReceivedSpan) => attributes['mesh.peer.id'] === misbehaving.peer
  const refusal = () => spansNamed(receiver.spans, span).slice(before).find(spanOfPeer)
  const end = await misbehaving.send(saying).then(
    ({ endedAfterMs, frames }) => {
      const goodbye = frames.find((frame) => frame.type === 'goodbye')
      return `ended after ${Math.round(endedAfterMs)} ms, goodbye: ${goodbye?.reason ?? 'none'}`
    },
    (error: Error) => error.message,
  )
  await until(() => refusal() !== undefined, spanLimitMs, `${what} is emitted`).catch(() => {})
  const reasonText = String(refusal()?.attributes[reasonIn[span]])
  const expected = span === 'mesh.link.refused' ? 'goodbye: foreign-mesh' : 'ended after'
  return {
    what: `peer: ${what}`,
    want: `${span} "… ${reason} …", ${expected}`,
    got: `"${reasonText}", ${end}`,
    holds: reasonText.includes(reason) && end.startsWith('ended after') && end.includes(expected),
  }
}

/** Random frames over several connections, one after the other: the node refuses each once, and emits one span. */
export async function randomFramesCheck(
  { receiver }: Cluster,
  misbehaving: MisbehavingPeer,
  { connections, frames }: { readonly connections: number; readonly frames: number },
  { random, signal }: ProofContext,
): Promise<{ readonly check: Check; readonly slowestMs: number }> {
  const before = spansNamed(receiver.spans, 'mesh.frame.refused').length
  let slowestMs = 0
  for (let i = 0; i < connections; i++) {
    signal.throwIfAborted()
    const { endedAfterMs } = await misbehaving.send(randomFrames(frames, random))
    slowestMs = Math.max(slowestMs, endedAfterMs)
  }
  const refusal = () => spansNamed(receiver.spans, 'mesh.frame.refused').length - before
  await until(() => refusal() >= connections, spanLimitMs, 'all refusals are emitted').catch(() => {})
  const what = `refusals emitted for ${connections * frames} random frames, one for each connection`
  return { check: equals(what, connections, refusal()), slowestMs }
}

/** The healthy links are unchanged, no node accepts an impostor, and no connection of the misbehaving peer is left. */
export async function harmChecks(
  { receiver }: Cluster,
  nodes: readonly NodeProcess[],
  misbehaving: MisbehavingPeer,
  before: readonly PairLink[],
): Promise<Check[]> {
  let topologies: readonly Topology[] = []
  const spanOfPeer = () =>
    topologies.flatMap(({ peers }) => peers).filter(({ peer }) => peer === misbehaving.peer).length
  const isRemoved = async () => {
    topologies = await topologiesOf(nodes)
    return spanOfPeer() === 0
  }
  await until(isRemoved, removalLimitMs, 'no connection of the misbehaving peer is left').catch(() => {})
  const healthy = nodes.map(({ peer }) => peer)
  const closed = spansNamed(receiver.spans, 'mesh.connection.closed').filter(({ attributes }) =>
    healthy.includes(String(attributes['mesh.peer.id'])),
  )
  const names = topologies.flatMap(({ members }) => members.map(({ name }) => name))
  return [
    equals('links between the healthy nodes, before and after', ids(before), ids(pairLinks(topologies))),
    equals('connections between them that were reported as closed', 0, closed.length),
    equals('connections left of the misbehaving peer', 0, spanOfPeer()),
    each('members as the nodes list them', 'by their own names', names, (name) =>
      nodes.some((node) => node.name === name),
    ),
  ]
}

/** The census of the node counts the emitted refusals. */
export async function censusCheck({ receiver }: Cluster): Promise<Check> {
  const refused = spansNamed(receiver.spans, 'mesh.frame.refused').length
  const counted = () =>
    Math.max(0, ...spansNamed(receiver.spans, 'mesh.audit').map((span) => numberOf(span, 'mesh.audit.frames_refused')))
  await until(() => counted() >= refused, censusLimitMs, 'the census counts them').catch(() => {})
  return equals('refused frames by the census, against those emitted', refused, counted())
}

function ids(links: readonly PairLink[] | string): string {
  if (typeof links === 'string') return links
  return links
    .map(({ id }) => id)
    .sort()
    .join(' ')
}
