import type { Topology } from '../../kit/views.ts'
import { type Cluster, type NodeProcess, until } from '../../testing/cluster.ts'
import type { ReceivedSpan } from '../../testing/otlp-receiver.ts'
import type { RudePeer } from '../../testing/rude-peer.ts'
import { each } from '../checks.ts'
import { numberOf, spansNamed } from '../evidence.ts'
import { type Check, equals, type ProofContext } from '../proof.ts'
import { type Misbehaviour, randomFrames } from './malformed-frames.ts'
import { type PairLink, pairLinks, topologiesOf } from './mesh.ts'

const goneWithinMs = 5_000
const spanWithinMs = 5_000
const censusWithinMs = 35_000
const reasonIn = { 'mesh.frame.refused': 'mesh.frame.reason', 'mesh.link.refused': 'mesh.error.message' } as const

/** One rudeness: told with its reason, and the connection ended. */
export async function misbehaviourCheck({ receiver }: Cluster, rude: RudePeer, rudeness: Misbehaviour): Promise<Check> {
  const { what, saying, span, reason } = rudeness
  const seen = spansNamed(receiver.spans, span).length
  const ofRude = ({ attributes }: ReceivedSpan) => attributes['mesh.peer.id'] === rude.peer
  const told = () => spansNamed(receiver.spans, span).slice(seen).find(ofRude)
  const end = await rude.say(saying).then(
    ({ endedAfterMs, frames }) => {
      const goodbye = frames.find((frame) => frame.type === 'goodbye')
      return `ended after ${Math.round(endedAfterMs)} ms, goodbye: ${goodbye?.reason ?? 'none'}`
    },
    (error: Error) => error.message,
  )
  await until(() => told() !== undefined, spanWithinMs, `${what} is told`).catch(() => {})
  const given = String(told()?.attributes[reasonIn[span]])
  const expected = span === 'mesh.link.refused' ? 'goodbye: foreign-mesh' : 'ended after'
  return {
    what: `peer: ${what}`,
    want: `${span} "… ${reason} …", ${expected}`,
    got: `"${given}", ${end}`,
    holds: given.includes(reason) && end.startsWith('ended after') && end.includes(expected),
  }
}

/** Random frames over several connections, one after the other: each is refused once, and told once. */
export async function randomFramesCheck(
  { receiver }: Cluster,
  rude: RudePeer,
  { connections, frames }: { readonly connections: number; readonly frames: number },
  { random, signal }: ProofContext,
): Promise<{ readonly check: Check; readonly slowestMs: number }> {
  const seen = spansNamed(receiver.spans, 'mesh.frame.refused').length
  let slowestMs = 0
  for (let i = 0; i < connections; i++) {
    signal.throwIfAborted()
    const { endedAfterMs } = await rude.say(randomFrames(frames, random))
    slowestMs = Math.max(slowestMs, endedAfterMs)
  }
  const told = () => spansNamed(receiver.spans, 'mesh.frame.refused').length - seen
  await until(() => told() >= connections, spanWithinMs, 'all refusals are told').catch(() => {})
  const what = `refusals told of ${connections * frames} random frames, one for each connection`
  return { check: equals(what, connections, told()), slowestMs }
}

/** The healthy links are the very same, nobody believes an impostor, and nothing of the rude peer is left. */
export async function harmChecks(
  { receiver }: Cluster,
  nodes: readonly NodeProcess[],
  rude: RudePeer,
  before: readonly PairLink[],
): Promise<Check[]> {
  let topologies: readonly Topology[] = []
  const ofRude = () => topologies.flatMap(({ peers }) => peers).filter(({ peer }) => peer === rude.peer).length
  const gone = async () => {
    topologies = await topologiesOf(nodes)
    return ofRude() === 0
  }
  await until(gone, goneWithinMs, 'nothing is left of the rude peer').catch(() => {})
  const healthy = nodes.map(({ peer }) => peer)
  const closed = spansNamed(receiver.spans, 'mesh.connection.closed').filter(({ attributes }) =>
    healthy.includes(String(attributes['mesh.peer.id'])),
  )
  const names = topologies.flatMap(({ members }) => members.map(({ name }) => name))
  return [
    equals('links between the healthy nodes, before and after', ids(before), ids(pairLinks(topologies))),
    equals('connections between them that were told as closed', 0, closed.length),
    equals('connections left of the rude peer', 0, ofRude()),
    each('members as the nodes know them', 'by their own names', names, (name) =>
      nodes.some((node) => node.name === name),
    ),
  ]
}

/** The census of the node counts what was told. */
export async function censusCheck({ receiver }: Cluster): Promise<Check> {
  const refused = spansNamed(receiver.spans, 'mesh.frame.refused').length
  const counted = () =>
    Math.max(0, ...spansNamed(receiver.spans, 'mesh.audit').map((span) => numberOf(span, 'mesh.audit.frames_refused')))
  await until(() => counted() >= refused, censusWithinMs, 'the census counts them').catch(() => {})
  return equals('refused frames by the census, against those told', refused, counted())
}

function ids(links: readonly PairLink[] | string): string {
  if (typeof links === 'string') return links
  return links
    .map(({ id }) => id)
    .sort()
    .join(' ')
}
