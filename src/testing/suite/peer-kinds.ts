import { type GossipSub, type GossipsubOpts, gossipsub } from '@chainsafe/libp2p-gossipsub'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { type Identify, identify } from '@libp2p/identify'
import type { Libp2p, PrivateKey } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { quic } from '@libp2p/quic'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { libp2pSettings } from '../../kit/libp2p-settings.ts'
import { tracemeshInternal } from '../../kit/service.ts'
import type { Telemetry } from '../../telemetry/telemetry.ts'
import { listenOn, type Transport } from './real-world.ts'

/**
 * A node as `tracemesh node` composes it, the kit in an application with stock gossipsub, and stock js-libp2p. The two
 * `small` ones accept less in one RPC than their agent version suggests, so that their streams do end.
 */
export type PeerKind = 'mesh' | 'app' | 'guest' | 'small-app' | 'small-guest'

export type KindLibp2p = Libp2p<{ identify: Identify; pubsub: GossipSub }>

/** Limit of go-libp2p for one RPC. */
const smallBytes = 1_048_576

/** Its key is random by default. The mesh in an application may close no connection that the application dialled. */
export async function createPeer(
  kind: PeerKind,
  transport: Transport,
  { telemetry, privateKey }: { readonly telemetry: Telemetry; readonly privateKey?: PrivateKey },
): Promise<KindLibp2p> {
  const key = privateKey ?? (await generateKeyPair('Ed25519'))
  const own = libp2pSettings({ privateKey: key, listen: [listenOn[transport]], agent: 'tracemesh/test' })
  const stock: Partial<GossipsubOpts> = { allowPublishToZeroTopicPeers: true }
  const options = kind.startsWith('small') ? { ...stock, maxInboundDataLength: smallBytes } : stock
  const quicOptions: object = { shutdownTimeout: 400 }
  const plain = {
    privateKey: key,
    addresses: { listen: [listenOn[transport]] },
    transports: [quic(quicOptions), tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
  }
  const base = { identify: identify(), pubsub: kind === 'mesh' ? own.services.pubsub : gossipsub(options) }
  const hasKit = !kind.endsWith('guest')
  const closes = kind === 'mesh' ? 'all' : 'own'
  const kit = hasKit ? { tracemesh: tracemeshInternal({ telemetry, closes }) } : {}
  const settings = kind === 'mesh' ? own : plain
  return (await createLibp2p({ ...settings, services: { ...base, ...kit } })) as unknown as KindLibp2p
}
