import { setTimeout as sleep } from 'node:timers/promises'
import { startCluster } from '../../testing/cluster/cluster.ts'
import { type Guest, jsGuest } from '../../testing/interop/guest.ts'
import { endToEnd } from '../end-to-end.ts'
import { atMost, type Check, equals, type ProofContext, type ProofResult } from '../proof.ts'
import { withGuests } from './built-guest.ts'
import { compareIds, exchange, worstScore } from './exchange.ts'
import { type InteropPeer, startNamedGuest, startNode } from './interop-peer.ts'

const nodeCount = 4
/** Of each other implementation. */
const guestCount = 5
const load = { ms: 20_000, intervalMs: 100 }
/** Milliseconds until all have a message of all others: at first, and after large messages. */
const limits = { talk: 30_000, large: 15_000 }
/** Gossipsub scores a broken promise after 3 s. */
const scoresMs = 5_000
/** More than rust accepts, and more than go accepts. */
const largeBytes = [70_000, 1_100_000]
const quic = '/ip4/127.0.0.1/udp/0/quic-v1'

export const proof = endToEnd({
  name: 'interop-mesh',
  about:
    'four nodes, five peers of go-libp2p and five of rust-libp2p in one gossip mesh: each message reaches all, under one id, nobody scores anybody below 0, and large messages mute no one',
  quick: false,
  seconds: 120,
  run: (context) => withGuests(context, ({ go, rust }) => play([go, rust], context)),
})

async function play(commands: readonly string[], { progress }: ProofContext): Promise<ProofResult> {
  await using cluster = await startCluster()
  const seeds = [cluster.address('node-0')]
  const nodes: InteropPeer[] = []
  for (let index = 0; index < nodeCount; index++)
    nodes.push(await startNode(cluster, `node-${index}`, index === 0 ? { role: 'seed' } : { seeds }))
  const addressOf = (index: number) => {
    const node = nodes[index % nodeCount]
    return `${cluster.address(`node-${index % nodeCount}`)}/p2p/${node?.peer}`
  }
  await using stack = new AsyncDisposableStack()
  const guests: (InteropPeer & Guest)[] = []
  // Each guest dials two nodes and the guest before it, which is of the other implementation.
  for (let index = 0; index < commands.length * guestCount; index++) {
    const before = guests.at(-1)
    const dial = [addressOf(index), addressOf(index + 1), ...(before === undefined ? [] : [addressOfGuest(before)])]
    const which = index % commands.length
    const name = `${['go', 'rust'][which]}-${Math.floor(index / commands.length)}`
    guests.push(stack.use(await startNamedGuest(name, [commands[which] ?? ''], { listen: [quic], dial })))
  }
  const peers = [...nodes, ...guests]
  const checks: Check[] = []
  const reach = async (what: string, limitMs: number) => {
    const { ms, missing } = await exchange(peers, limitMs)
    progress(`${what}: ${missing.length === 0 ? `${ms} ms` : `missing ${missing.slice(0, 5)}`}`)
    checks.push(atMost(`${what}: each of ${peers.length} has a message of each other`, limitMs, ms, 'ms'))
    return ms
  }
  const talkMs = await reach('at first', limits.talk)
  const publishers = [nodes.at(-1), guests.at(-2), guests.at(-1)].filter((one) => one !== undefined)
  const { sent, undelivered } = await publishFor(publishers, peers)
  await sleep(scoresMs)
  const score = await worstScore(peers)
  progress(`${sent} messages under load, ${undelivered} not delivered to a peer; worst score ${score}`)
  checks.push(
    equals(`deliveries of ${sent} messages that are missing`, 0, undelivered),
    equals('worst score', 0, score),
  )
  const largeMs: Record<string, number> = {}
  for (const from of publishers) {
    for (const bytes of largeBytes) {
      from.publishBytes(bytes)
      await sleep(1_000)
      largeMs[`${from.name}, ${bytes}`] = await reach(`after ${bytes} bytes of ${from.name}`, limits.large)
    }
  }
  const { shared, different } = compareIds(peers)
  checks.push(equals(`messages with different ids, of ${shared}`, '', different.slice(0, 3).join('; ')))
  const controlScore = await measureControl(
    peers,
    guests,
    nodes.map((_, index) => addressOf(index)),
  )
  checks.push({ what: 'worst score with the ids of js', want: 'below 0', got: controlScore, holds: controlScore < 0 })
  return { figures: { talkMs, sent, undelivered, score, largeMs, shared, controlScore }, checks }
}

function addressOfGuest({ addresses, peer }: Guest): string {
  return `${addresses[0]}/p2p/${peer}`
}

/** Publishes ten messages a second from each, and counts those that a peer does not get. */
async function publishFor(publishers: readonly InteropPeer[], peers: readonly InteropPeer[]) {
  let rounds = 0
  for (const until = performance.now() + load.ms; performance.now() < until; rounds++) {
    for (const one of publishers) one.publish(`load of ${one.name}: ${rounds}`)
    await sleep(load.intervalMs)
  }
  await sleep(scoresMs)
  let undelivered = 0
  for (const to of peers) {
    const texts = new Set(to.messages.map(({ text }) => text))
    for (const from of publishers.filter((one) => one !== to))
      for (let round = 0; round < rounds; round++) if (!texts.has(`load of ${from.name}: ${round}`)) undelivered++
  }
  return { sent: rounds * publishers.length, undelivered }
}

/** The negative control: a js peer with the default ids of its library, connected to all, scores healthy peers low. */
async function measureControl(
  peers: readonly InteropPeer[],
  guests: readonly (InteropPeer & Guest)[],
  nodes: readonly string[],
): Promise<number> {
  const dial = [...nodes, ...guests.map(addressOfGuest)]
  await using control = await startNamedGuest('control', [...jsGuest(), '--default-ids'], { dial })
  await publishFor(guests.slice(0, 2), peers)
  return worstScore([control])
}
