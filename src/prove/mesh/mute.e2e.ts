import { setTimeout as sleep } from 'node:timers/promises'
import { multiaddr } from '@multiformats/multiaddr'
import type { SpanEffect } from '../../catalogue/span-effect.ts'
import { type Language, languages } from '../../testing/interop/build.ts'
import { startGuest } from '../../testing/interop/guest.ts'
import { recordingTelemetry } from '../../testing/otlp/recording-telemetry.ts'
import { createPeer, type PeerKind } from '../../testing/suite/peer-kinds.ts'
import type { Transport } from '../../testing/suite/real-world.ts'
import { endToEnd } from '../end-to-end.ts'
import { builtGuest } from '../interop/built-guest.ts'
import { atMost, type Check, notShown } from '../proof.ts'

const largeBytes = 1_100_000
/** Largest messages of other implementations, less the envelope. */
const foreignBytes: Readonly<Record<Language, number>> = { go: 1_000_000, rust: 64_000 }
const cachedCount = 20
const exchangeLimitMs = 15_000
/** Limit until gossipsub has its streams and meshes. */
const startMs = 20_000
/** Time for messages to arrive. */
const arrivalMs = 1_500

/** An application closes no connection that it dialled itself, as here: only heals can repair its gossip. */
const pairs: readonly (readonly [PeerKind, PeerKind])[] = [
  ['mesh', 'mesh'],
  ['mesh', 'app'],
  ['mesh', 'small-app'],
  ['mesh', 'small-guest'],
  ['app', 'small-app'],
  ['app', 'small-guest'],
]

interface Outcome {
  readonly what: string
  readonly arrived: number
  readonly sent: number
  readonly bothWaysMs: number
  /** Gossip spans that the two emitted meanwhile. */
  readonly gossipSpans: readonly string[]
}

/** The application's own topics. A peer subscribes to the second only once it holds messages. */
const topic = 'own'
const cachedTopic = 'cached'
/** Size of a message that answers IWANT: one that the mesh itself permits. */
const cachedBytes = 60_000

export const proof = endToEnd({
  name: 'mute',
  about:
    'RPCs of 1.1 and 1.2 MB between any two of node, application and guest: gossip passes both ways within 15 s, and a span reports each message that does not arrive',
  quick: false,
  seconds: 330,
  async run({ progress, signal }) {
    const outcomes: Outcome[] = []
    for (const transport of ['tcp', 'quic'] as const) {
      for (const [one, other] of pairs) {
        outcomes.push(...(await runPair(one, other, transport)))
        progress(`${transport}, ${one} and ${other}: ${outcomes.slice(-4).map(describeOutcome).join('; ')}`)
      }
    }
    const missingGuests: Check[] = []
    for (const language of languages) {
      const guest = await builtGuest(language, { progress, signal })
      if ('path' in guest) outcomes.push(...(await runForeignGuest(language, guest.path)))
      else missingGuests.push(notShown(`a ${language} guest`, 'one', guest.missing))
    }
    return { figures: { outcomes }, checks: [...outcomes.flatMap(checksOf), ...missingGuests] }
  },
})

function describeOutcome({ bothWaysMs, arrived, sent }: Outcome): string {
  return `${arrived} of ${sent} arrived, both ways after ${bothWaysMs} ms`
}

function checksOf({ what, arrived, sent, bothWaysMs, gossipSpans }: Outcome): Check[] {
  const missing = arrived < sent
  return [
    atMost(`${what}: gossip both ways`, exchangeLimitMs, bothWaysMs, 'ms'),
    {
      what: `${what}: a span for the missing messages`,
      want: 'a span',
      got: missing ? gossipSpans.join(' ') || 'none' : 'all arrived',
      holds: !missing || gossipSpans.length > 0,
    },
  ]
}

async function runPair(kindOne: PeerKind, kindOther: PeerKind, transport: Transport): Promise<Outcome[]> {
  const one = await startPeer(kindOne, transport)
  const other = await startPeer(kindOther, transport)
  try {
    await one.dial(other.address)
    await waitForStart(one, other)
    const outcomes: Outcome[] = []
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      const name = `${transport}, ${from.kind} to ${to.kind}`
      outcomes.push(await sendLarge(name, from, to))
      outcomes.push(
        await measureOutcome(`${name}, ${cachedCount} messages in one answer`, from, to, cachedCount, async () => {
          to.sendIwant(from.id, await from.fillCache(cachedCount))
        }),
      )
    }
    return outcomes
  } finally {
    await Promise.all([one.stop(), other.stop()])
  }
}

/** A node and a guest of another implementation, over TCP, in both directions. */
async function runForeignGuest(language: Language, program: string): Promise<Outcome[]> {
  const node = await startPeer('mesh', 'tcp')
  const guest = await startForeignGuest(program, node.address)
  try {
    await waitForStart(node, guest)
    const outcomes = [
      await sendLarge(`node to ${language} guest`, node, guest),
      // The guest's own library drops or refuses it.
      await sendLarge(`${language} guest to node`, guest, node, largeBytes, 0),
      await sendLarge(`${language} guest to node`, guest, node, foreignBytes[language]),
    ]
    for (let count = 0; count < cachedCount; count++) await guest.publish(cachedBytes)
    await sleep(arrivalMs)
    const ids = node.cachedIds()
    const answers: readonly [string, () => Promise<void> | void][] = [
      [`${language} guest to node`, () => node.sendIwant(guest.id, ids)],
      [`node to ${language} guest`, () => node.answer(guest.id, ids)],
    ]
    for (const [name, send] of answers) {
      const what = `${name}, ${ids.length} messages in one answer`
      // The guest has received them all before, so gossipsub delivers none again.
      outcomes.push(await measureOutcome(what, node, guest, 0, async () => send()))
    }
    return outcomes
  } finally {
    await guest.stop()
    await node.stop()
  }
}

async function waitForStart(one: Peer, other: Peer): Promise<void> {
  const exchangeMs = await timeUntilExchange(one, other, startMs)
  if (Number.isNaN(exchangeMs)) throw new Error(`${one.kind} and ${other.kind} exchange no messages at the start`)
  await sleep(arrivalMs)
}

function sendLarge(name: string, from: Peer, to: Peer, bytes = largeBytes, sent = 1): Promise<Outcome> {
  const what = `${name}, one message of ${bytes} bytes`
  return measureOutcome(what, from, to, sent, () => from.publish(bytes))
}

async function measureOutcome(
  what: string,
  from: Peer,
  to: Peer,
  sent: number,
  send: () => Promise<void>,
): Promise<Outcome> {
  const before = [from, to].map(({ spans }) => spans.length)
  const since = performance.now()
  await send()
  await sleep(arrivalMs)
  const bothWaysMs = await timeUntilExchange(from, to, exchangeLimitMs + arrivalMs)
  // A node emits a successful heal at its next poll.
  await sleep(2 * arrivalMs)
  const spans = [from, to].flatMap((peer, index) => peer.spans.slice(before[index]).map(({ span }) => span))
  const arrived = to.received.filter(({ at, bytes }) => at > since && bytes > 1_000).length
  return { what, arrived, sent, bothWaysMs, gossipSpans: spans.filter((span) => span.startsWith('mesh.gossip.')) }
}

interface Peer {
  readonly id: string
  readonly kind: string
  /** Its emitted spans, when it has the kit. */
  readonly spans: readonly SpanEffect[]
  /** Time and size of each message received on its topic. */
  readonly received: readonly { readonly at: number; readonly bytes: number }[]
  /** A failure shows as a message that does not arrive. */
  publish(bytes: number): Promise<void>
  stop(): Promise<void>
}

/** Internals of gossipsub that the proof uses to provoke what IHAVE does at a bad moment. */
interface GossipsubInternals {
  readonly peers: ReadonlyMap<string, unknown>
  readonly mcache: { readonly history: readonly (readonly { readonly msgId: Uint8Array; readonly topic: string }[])[] }
  sendRpc(peer: string, rpc: object): boolean
  handleReceivedRpc(peer: unknown, rpc: object): Promise<void>
}

async function startPeer(kind: PeerKind, transport: Transport) {
  const { telemetry, spans: emittedSpans } = recordingTelemetry()
  const libp2p = await createPeer(kind, transport, { telemetry })
  const { pubsub } = libp2p.services
  const internals = pubsub as unknown as GossipsubInternals
  const received: { at: number; bytes: number }[] = []
  pubsub.subscribe(topic)
  pubsub.addEventListener('message', ({ detail: { topic: on, data } }) => {
    if (on === topic || on === cachedTopic) received.push({ at: performance.now(), bytes: data.length })
  })
  const idsOf = (wantedTopic: string) =>
    internals.mcache.history.flatMap((entries) =>
      entries.filter((one) => one.topic === wantedTopic).map(({ msgId }) => msgId),
    )
  return {
    id: libp2p.peerId.toString(),
    kind,
    spans: emittedSpans,
    received,
    address: String(libp2p.getMultiaddrs()[0]),
    dial: async (address: string) => void (await libp2p.dial(multiaddr(address))),
    publish: async (bytes: number) => void (await pubsub.publish(topic, new Uint8Array(bytes)).catch(() => {})),
    /** Publishes `count` messages to a topic without subscribers, which fills the cache; returns their ids. */
    fillCache: async (count: number) => {
      for (let index = 0; index < count; index++) await pubsub.publish(cachedTopic, new Uint8Array(cachedBytes))
      return idsOf(cachedTopic)
    },
    /** Ids of the cached messages on its topic. */
    cachedIds: () => idsOf(topic),
    /** Requests these messages from a peer in one IWANT. */
    sendIwant: (peer: string, ids: readonly Uint8Array[]) => {
      pubsub.subscribe(cachedTopic)
      internals.sendRpc(peer, iwantRpc(ids))
    },
    /** Answers a peer as if it had requested these messages in one IWANT. */
    answer: (peer: string, ids: readonly Uint8Array[]) =>
      internals.handleReceivedRpc(internals.peers.get(peer), iwantRpc(ids)),
    stop: async () => void (await libp2p.stop()),
  }
}

function iwantRpc(messageIDs: readonly Uint8Array[]): object {
  const control = { ihave: [], graft: [], prune: [], idontwant: [], iwant: [{ messageIDs }] }
  return { subscriptions: [], messages: [], control }
}

/** Starts a guest of another implementation, which dials `address`. */
async function startForeignGuest(program: string, address: string): Promise<Peer> {
  const guest = await startGuest([program], { dial: [address], topics: [topic] })
  const received: { at: number; bytes: number }[] = []
  const collect = () => {
    for (const { bytes } of guest.messages.slice(received.length)) received.push({ at: performance.now(), bytes })
  }
  const timer = setInterval(collect, 20)
  return {
    id: guest.peer,
    kind: 'foreign',
    spans: [],
    received,
    publish: async (bytes) => guest.publishBytes(bytes),
    stop: async () => {
      clearInterval(timer)
      await guest.leave()
    },
  }
}

/** Milliseconds until each has received a short message that the other publishes from now on; NaN after the limit. */
async function timeUntilExchange(one: Peer, other: Peer, limitMs: number): Promise<number> {
  const from = performance.now()
  const hasReceived = ({ received }: Peer) => received.some(({ at, bytes }) => at > from + 100 && bytes < 1_000)
  while (performance.now() - from < limitMs) {
    await Promise.all([one.publish(10), other.publish(10)])
    await sleep(250)
    if (hasReceived(one) && hasReceived(other)) return Math.round(performance.now() - from)
  }
  return Number.NaN
}
