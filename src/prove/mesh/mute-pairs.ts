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
import { type Guest, startGuest } from '../../testing/guest.ts'
import { listenOn, type Transport } from '../../testing/real-world.ts'
import { recordingTelemetry } from '../../testing/recording-telemetry.ts'

/**
 * A node as `tracemesh node` composes it, the kit in an application with stock gossipsub, and stock js-libp2p. The two
 * `small` ones take less in one RPC than their agent version lets one expect, so that their streams do end.
 */
export type Kind = 'mesh' | 'app' | 'small-app' | 'small-guest'

/** Topics of the application's own, past the mesh. The second is subscribed to only once there are messages in it. */
const topic = 'own'
const cachedTopic = 'cached'
/** What go takes in one RPC. */
const smallBytes = 1_048_576
/** A message that is to be answered to IWANT: any size that the mesh itself permits. */
export const cachedBytes = 60_000

export interface Peer {
  readonly id: string
  readonly kind: string
  /** What it told, when it has the kit. */
  readonly spans: readonly SpanEffect[]
  /** When it heard each message on its topic, and how long that was. */
  readonly heard: readonly { readonly at: number; readonly bytes: number }[]
  /** Peers that gossipsub sent it to; undefined when it was refused, or is not known. */
  publish(bytes: number): Promise<number | undefined>
  stop(): Promise<void>
}

export interface JsPeer extends Peer {
  readonly address: string
  dial(address: string): Promise<void>
  /** Publishes as many messages to a topic without subscribers: they are in the cache, and ids are the result. */
  cache(count: number): Promise<readonly Uint8Array[]>
  /** Ids of the messages on its topic in its cache. */
  cached(): readonly Uint8Array[]
  /** Asks a peer for these messages in one IWANT. */
  ask(peer: string, ids: readonly Uint8Array[]): void
  /** Answers a peer as if that had asked for these messages in one IWANT. */
  answer(peer: string, ids: readonly Uint8Array[]): Promise<void>
}

/** What the proof itself needs of gossipsub's insides, to bring about what IHAVE would at a bad moment. */
interface Insides {
  readonly peers: ReadonlyMap<string, unknown>
  readonly mcache: { readonly history: readonly (readonly { readonly msgId: Uint8Array; readonly topic: string }[])[] }
  sendRpc(peer: string, rpc: object): boolean
  handleReceivedRpc(peer: unknown, rpc: object): Promise<void>
}

export async function startPeer(kind: Kind, transport: Transport): Promise<JsPeer> {
  const { telemetry, spans: emittedSpans } = recordingTelemetry()
  const libp2p = await create(kind, transport, telemetry)
  const { pubsub } = libp2p.services
  const insides = pubsub as unknown as Insides
  const heard: { at: number; bytes: number }[] = []
  pubsub.subscribe(topic)
  pubsub.addEventListener('message', ({ detail: { topic: on, data } }) => {
    if (on === topic || on === cachedTopic) heard.push({ at: performance.now(), bytes: data.length })
  })
  const idsOf = (wanted: string) =>
    insides.mcache.history.flatMap((entries) => entries.filter((one) => one.topic === wanted).map(({ msgId }) => msgId))
  return {
    id: libp2p.peerId.toString(),
    kind,
    spans: emittedSpans,
    heard,
    address: String(libp2p.getMultiaddrs()[0]),
    dial: async (address) => void (await libp2p.dial(multiaddr(address))),
    publish: (bytes) =>
      pubsub.publish(topic, new Uint8Array(bytes)).then(
        ({ recipients }) => recipients.length,
        () => undefined,
      ),
    cache: async (count) => {
      for (let index = 0; index < count; index++) await pubsub.publish(cachedTopic, new Uint8Array(cachedBytes))
      return idsOf(cachedTopic)
    },
    cached: () => idsOf(topic),
    ask: (peer, ids) => {
      pubsub.subscribe(cachedTopic)
      insides.sendRpc(peer, wanting(ids))
    },
    answer: (peer, ids) => insides.handleReceivedRpc(insides.peers.get(peer), wanting(ids)),
    stop: async () => void (await libp2p.stop()),
  }
}

type Created = Libp2p<{ identify: Identify; pubsub: GossipSub }>

async function create(
  kind: Kind,
  transport: Transport,
  telemetry: ReturnType<typeof recordingTelemetry>['telemetry'],
): Promise<Created> {
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
  // The proof dials as the application does, so the mesh in one may close nothing: heals have to do.
  const closes = kind === 'mesh' ? 'all' : 'own'
  const kit = hasKit ? { tracemesh: tracemeshInternal({ telemetry, closes }) } : {}
  const settings = kind === 'mesh' ? own : plain
  return (await createLibp2p({ ...settings, services: { ...base, ...kit } })) as unknown as Created
}

function wanting(messageIDs: readonly Uint8Array[]): object {
  const control = { ihave: [], graft: [], prune: [], idontwant: [], iwant: [{ messageIDs }] }
  return { subscriptions: [], messages: [], control }
}

/** A guest of another implementation, by its command line, that dials `address`. */
export async function startForeign(command: string, address: string): Promise<Peer> {
  const guest: Guest = await startGuest(command.split(/\s+/), address, topic)
  const heard: { at: number; bytes: number }[] = []
  const collect = () => {
    for (const { text } of guest.messages.slice(heard.length)) heard.push({ at: performance.now(), bytes: text.length })
  }
  const timer = setInterval(collect, 20)
  return {
    id: guest.peer,
    kind: 'foreign',
    spans: [],
    heard,
    publish: async (bytes) => void guest.publish('x'.repeat(bytes)),
    stop: async () => {
      clearInterval(timer)
      await guest.leave()
    },
  }
}

/** Milliseconds until each has heard a short message that the other published from now on; NaN when they do not. */
export async function bothWays(one: Peer, other: Peer, limitMs: number): Promise<number> {
  const from = performance.now()
  const hears = ({ heard }: Peer) => heard.some(({ at, bytes }) => at > from + 100 && bytes < 1_000)
  while (performance.now() - from < limitMs) {
    await Promise.all([one.publish(10), other.publish(10)])
    await sleep(250)
    if (hears(one) && hears(other)) return Math.round(performance.now() - from)
  }
  return Number.NaN
}
