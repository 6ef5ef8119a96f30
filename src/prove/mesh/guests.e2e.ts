import type { MessageRecord } from '../../kit/messages/messages.ts'
import { type Cluster, type NodeProcess, startCluster, until } from '../../testing/cluster/cluster.ts'
import { type Guest, jsGuest, randomSeed, startGuest } from '../../testing/interop/guest.ts'
import { endToEnd } from '../end-to-end.ts'
import { spansNamed, timeUntil } from '../evidence.ts'
import { atMost, type Check, equals, type ProofContext, type ProofResult } from '../proof.ts'
import { testProgram } from '../shell.ts'
import { topologiesOf, topologyOf } from './mesh.ts'

const entry = testProgram('cluster/talking-node.ts')

/** Limit of each step, in milliseconds. A listener waits 6 s for a hello; nodes export spans within 1 s. */
const limits = { guest: 9_000, emitted: 12_000, received: 10_000, left: 6_000, crashed: 15_000 }

const topic = 'news'

export const aboutGuests =
  'is a guest: emitted, listed, no member, gossip passes both ways, and it can leave, crash, and come back'

export const proof = endToEnd({
  name: 'guests',
  about: `a plain js-libp2p peer without hello ${aboutGuests}`,
  quick: false,
  seconds: 35,
  run: (context) => runGuestVisits(jsGuest(), context),
})

interface Mesh {
  readonly cluster: Cluster
  /** The guest dials it. */
  readonly near: NodeProcess
  /** Its neighbour: `near` relays the guest's messages to it. */
  readonly far: NodeProcess
}

/**
 * Runs a guest, started by this command, against a mesh of two nodes: it joins, publishes, leaves with a goodbye,
 * comes back, crashes, and comes back once more.
 */
export async function runGuestVisits(command: readonly string[], { random }: ProofContext): Promise<ProofResult> {
  await using cluster = await startCluster()
  const mesh = 'mesh-a'
  const near = await cluster.node('near', { mesh, role: 'seed', entry })
  const far = await cluster.node('far', { mesh, seeds: [cluster.address('near')], env: { MESH_TOPICS: topic } })
  await until(async () => (await topologyOf(far)).members.length > 0, 10_000, 'two nodes have each other as members')
  const address = `${cluster.address('near')}/p2p/${near.peer}`
  const options = { seed: randomSeed(random), dial: [address], topics: [`${mesh}/${topic}`] }
  const start = () => startGuest(command, options)
  const first = await stay({ cluster, near, far }, await start(), 'at first')
  const second = await stay({ cluster, near, far }, await start(), 'back after it left', 'kill')
  const last = await stay({ cluster, near, far }, await start(), 'back after a crash')
  const stays = [first, second, last]
  return {
    figures: Object.fromEntries(stays.map(({ title, steps }) => [title, steps])),
    checks: stays.flatMap(({ checks }) => checks),
  }
}

async function stay({ cluster, near, far }: Mesh, guest: Guest, title: string, end: 'leave' | 'kill' = 'leave') {
  await using leaving = guest
  const { peer } = leaving
  const since = Date.now()
  const listedPeer = async () => (await topologyOf(near)).peers.find((one) => one.peer === peer)
  const listedMs = await timeUntil(limits.guest, async () => (await listedPeer())?.kind === 'guest')
  const members = (await topologiesOf([near, far])).flatMap((one) => one.members.map((member) => member.peer))
  const text = `${title} says ${since}`
  const hasReceived = (node: NodeProcess) => node.log.some((line) => line['heard'] === text && line['from'] === peer)
  guest.publish(text)
  const nearMs = await timeUntil(limits.received, () => hasReceived(near))
  const farMs = await timeUntil(limits.received, async () =>
    hasMessageSince(await far.api('/api/messages'), peer, since),
  )
  const backMs = await timeUntil(limits.received, () =>
    guest.messages.some((message) => message.from === near.peer && message.text.includes('news from near')),
  )
  const spanDelayMs = await timeUntil(limits.emitted, () =>
    spansNamed(cluster.receiver.spans, 'mesh.connection.guest').some(
      ({ attributes, startMs }) => attributes['mesh.peer.id'] === peer && startMs >= since,
    ),
  )
  await guest[end]()
  const crashed = end === 'kill'
  const removedMs = await timeUntil(
    crashed ? limits.crashed : limits.left,
    async () => (await listedPeer()) === undefined,
  )
  const steps = { listedMs, nearMs, farMs, backMs, spanDelayMs, removedMs }
  const checks: Check[] = [
    atMost(`${title}: listed as a guest`, limits.guest, listedMs, 'ms'),
    atMost(`${title}: mesh.connection.guest is emitted`, limits.emitted, spanDelayMs, 'ms'),
    equals(`${title}: among the members`, false, members.includes(peer)),
    atMost(`${title}: the node it dialled receives its message`, limits.received, nearMs, 'ms'),
    atMost(`${title}: the node behind that receives its message`, limits.received, farMs, 'ms'),
    atMost(`${title}: it receives the node's message`, limits.received, backMs, 'ms'),
    atMost(`${title}: no longer listed once it left`, crashed ? limits.crashed : limits.left, removedMs, 'ms'),
  ]
  return { title, steps, checks }
}

function hasMessageSince(messages: readonly MessageRecord[], from: string, since: number): boolean {
  return messages.some(({ direction, peer, at }) => direction === 'in' && peer === from && at >= since)
}
