import { setTimeout as sleep } from 'node:timers/promises'
import { type GossipSub, type GossipsubOpts, gossipsub } from '@chainsafe/libp2p-gossipsub'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { type Identify, identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { quic } from '@libp2p/quic'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import type { SpanEffect } from '../../catalogue/span-effect.ts'
import { tracemeshInternal } from '../../kit/internal.ts'
import { libp2pSettings } from '../../kit/libp2p-settings.ts'
import { type Guest, startGuest } from '../../testing/cluster/guest.ts'
import { recordingTelemetry } from '../../testing/otlp/recording-telemetry.ts'
import { listenOn, type Transport } from '../../testing/suite/real-world.ts'

/**
 * A node as `tracemesh node` composes it, the kit in an application with stock gossipsub, and stock js-libp2p. The two
 * `small` ones accept less in one RPC than their agent version suggests, so that their streams do end.
 */
export type Kind = 'mesh' | 'app' | 'small-app' | 'small-guest'

/** The application's own topics. A peer subscribes to the second only once it holds messages. */
const topic = 'own'
const cachedTopic = 'cached'
/** Limit of go-libp2p for one RPC. */
const smallBytes = 1_048_576
/** Size of a message that answers IWANT: one that the mesh itself permits. */
export const cachedBytes = 60_000

export interface Peer {
  readonly id: string
  readonly kind: string
  /** Its emitted spans, when it has the kit. */
  readonly spans: readonly SpanEffect[]
  /** Time and size of each message received on its topic. */
  readonly received: readonly { readonly at: number; readonly bytes: number }[]
  /** Number of peers that gossipsub sent it to; undefined when publishing failed or the count is unknown. */
  publish(bytes: number): Promise<number | undefined>
  stop(): Promise<void>
}

export interface JsPeer extends Peer {
  readonly address: string
  dial(address: string): Promise<void>
  /** Publishes `count` messages to a topic without subscribers, which fills the cache; returns their ids. */
  fillCache(count: number): Promise<readonly Uint8Array[]>
  /** Ids of the cached messages on its topic. */
  cachedIds(): readonly Uint8Array[]
  /** Requests these messages from a peer in one IWANT. */
  sendIwant(peer: string, ids: readonly Uint8Array[]): void
  /** Answers a peer as if it had requested these messages in one IWANT. */
  answer(peer: string, ids: readonly Uint8Array[]): Promise<void>
}

/** Internals of gossipsub that the proof uses to provoke what IHAVE does at a bad moment. */
interface GossipsubInternals {
  readonly peers: ReadonlyMap<string, unknown>
  readonly mcache: { readonly history: readonly (readonly { readonly msgId: Uint8Array; readonly topic: string }[])[] }
  sendRpc(peer: string, rpc: object): boolean
  handleReceivedRpc(peer: unknown, rpc: object): Promise<void>
}

export async function startPeer(kind: Kind, transport: Transport): Promise<JsPeer> {
  const { telemetry, spans: emittedSpans } = recordingTelemetry()
  const libp2p = await create(kind, transport, telemetry)
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
    dial: async (address) => void (await libp2p.dial(multiaddr(address))),
    publish: (bytes) =>
      pubsub.publish(topic, new Uint8Array(bytes)).then(
        ({ recipients }) => recipients.length,
        () => undefined,
      ),
    fillCache: async (count) => {
      for (let index = 0; index < count; index++) await pubsub.publish(cachedTopic, new Uint8Array(cachedBytes))
      return idsOf(cachedTopic)
    },
    cachedIds: () => idsOf(topic),
    sendIwant: (peer, ids) => {
      pubsub.subscribe(cachedTopic)
      internals.sendRpc(peer, iwantRpc(ids))
    },
    answer: (peer, ids) => internals.handleReceivedRpc(internals.peers.get(peer), iwantRpc(ids)),
    stop: async () => void (await libp2p.stop()),
  }
}

type TestLibp2p = Libp2p<{ identify: Identify; pubsub: GossipSub }>

async function create(
  kind: Kind,
  transport: Transport,
  telemetry: ReturnType<typeof recordingTelemetry>['telemetry'],
): Promise<TestLibp2p> {
  const privateKey = await generateKeyPair('Ed25519')
  const own = libp2pSettings({ privateKey, listen: [listenOn[transport]], agent: 'tracemesh/test' })
  const stock: Partial<GossipsubOpts> = { allowPublishToZeroTopicPeers: true }
  const options = kind.startsWith('small') ? { ...stock, maxInboundDataLength: smallBytes } : stock
  const quicOptions: object = { shutdownTimeout: 400 }
  const plain = {
    addresses: { listen: [listenOn[transport]] },
    transports: [quic(quicOptions), tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
  }
  const base = { identify: identify(), pubsub: kind === 'mesh' ? own.services.pubsub : gossipsub(options) }
  const hasKit = kind !== 'small-guest'
  // The proof dials as the application does, so the mesh in an application may close no connection: it has to heal.
  const closes = kind === 'mesh' ? 'all' : 'own'
  const kit = hasKit ? { tracemesh: tracemeshInternal({ telemetry, closes }) } : {}
  const settings = kind === 'mesh' ? own : plain
  return (await createLibp2p({ ...settings, services: { ...base, ...kit } })) as unknown as TestLibp2p
}

function iwantRpc(messageIDs: readonly Uint8Array[]): object {
  const control = { ihave: [], graft: [], prune: [], idontwant: [], iwant: [{ messageIDs }] }
  return { subscriptions: [], messages: [], control }
}

/** Starts a guest of another implementation by its command line; it dials `address`. */
export async function startForeignGuest(command: string, address: string): Promise<Peer> {
  const guest: Guest = await startGuest(command.split(/\s+/), address, topic)
  const received: { at: number; bytes: number }[] = []
  const collect = () => {
    for (const { text } of guest.messages.slice(received.length))
      received.push({ at: performance.now(), bytes: text.length })
  }
  const timer = setInterval(collect, 20)
  return {
    id: guest.peer,
    kind: 'foreign',
    spans: [],
    received,
    publish: async (bytes) => void guest.publish('x'.repeat(bytes)),
    stop: async () => {
      clearInterval(timer)
      await guest.leave()
    },
  }
}

/** Milliseconds until each has received a short message that the other publishes from now on; NaN after the limit. */
export async function timeUntilExchange(one: Peer, other: Peer, limitMs: number): Promise<number> {
  const from = performance.now()
  const hasReceived = ({ received }: Peer) => received.some(({ at, bytes }) => at > from + 100 && bytes < 1_000)
  while (performance.now() - from < limitMs) {
    await Promise.all([one.publish(10), other.publish(10)])
    await sleep(250)
    if (hasReceived(one) && hasReceived(other)) return Math.round(performance.now() - from)
  }
  return Number.NaN
}
