import { after, before } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { GossipSub } from '@chainsafe/libp2p-gossipsub'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { createLibp2p } from 'libp2p'
import type { Network } from '../../core/events.ts'
import { Owner } from '../../core/owner.ts'
import { countHandles, releaseNativeSockets } from '../../evidence/process-handles.ts'
import { systemClock } from '../../kit/clock.ts'
import type { NetworkComponents } from '../../kit/components.ts'
import { Libp2pNetwork, type Libp2pNetworkOptions } from '../../kit/libp2p-network.ts'
import { libp2pSettings } from '../../kit/libp2p-settings.ts'
import { withoutPeer } from '../../kit/multiaddrs.ts'
import type { SuiteHarness } from './suite-steps.ts'

export type Transport = 'quic' | 'tcp'

export interface RealNode extends AsyncDisposable {
  readonly network: Libp2pNetwork
  readonly libp2p: Libp2p<{ identify: Identify; pubsub: GossipSub }>
  readonly owner: Owner
  readonly components: NetworkComponents
  /** Where it listens, without `/p2p/`. */
  readonly address: string
  stop(): Promise<void>
}

export const listenOn: Record<Transport, string> = {
  quic: '/ip4/127.0.0.1/udp/0/quic-v1',
  tcp: '/ip4/127.0.0.1/tcp/0',
}

/** Port 1 on loopback, without a listener. */
export const deadAddressOf: Record<Transport, string> = {
  quic: '/ip4/127.0.0.1/udp/1/quic-v1',
  tcp: '/ip4/127.0.0.1/tcp/1',
}

/**
 * A stopped QUIC transport closes its sockets when the garbage collector frees its native object, and a dial to a dead
 * port keeps that alive for the 10 s it takes to fail. Call this before `leakCheck`, so that only real leaks count.
 */
export function collectNative(limitMs = 12_000): void {
  const sockets = () => countHandles().get('fd socket') ?? 0
  let baseline = 0
  before(() => {
    baseline = sockets()
  })
  after(async () => {
    for (const until = performance.now() + limitMs; sockets() > baseline && performance.now() < until; await sleep(50))
      releaseNativeSockets()
  })
}

const stopMs = 8_000

/** A libp2p node with a mesh network that has not started yet. */
export async function realNode(
  listen: readonly string[],
  options: Partial<
    Pick<Libp2pNetworkOptions, 'isOwn' | 'gossipLimits' | 'lookup' | 'meshes' | 'onDialFailed' | 'closes'>
  > = {},
): Promise<RealNode> {
  const privateKey = await generateKeyPair('Ed25519')
  const { services, ...settings } = libp2pSettings({ privateKey, listen })
  let injected: NetworkComponents | undefined
  const probe = (value: NetworkComponents) => {
    injected = value
    return {}
  }
  const libp2p = await createLibp2p({ ...settings, services: { ...services, probe } })
  const owner = new Owner('node', systemClock)
  // As in a node: the stop of libp2p has no time limit of its own.
  owner.adopt('libp2p', () => libp2p.stop(), stopMs)
  const { identify, pubsub } = libp2p.services
  const components = injected as unknown as NetworkComponents
  const meshes = options.meshes ?? ['suite']
  const network = new Libp2pNetwork({
    components,
    owner,
    clock: systemClock,
    meshes,
    identify,
    pubsub,
    ...options,
  })
  const stop = async () => {
    await network.stop()
    await owner[Symbol.asyncDispose]()
  }
  const address = libp2p.getMultiaddrs().map(withoutPeer)[0] ?? ''
  return { network, libp2p, owner, components, address, stop, [Symbol.asyncDispose]: stop }
}

/** Real nodes in this process, over loopback. */
export function realHarness(transport: Transport): SuiteHarness {
  return {
    async create(count, { guests, mesh }) {
      const make = (length: number) =>
        Promise.all(Array.from({ length }, () => realNode([listenOn[transport]], { meshes: [mesh] })))
      const nodes = await make(count)
      const guestNodes = await make(guests)
      return {
        networks: nodes.map((node): Network => node.network),
        addresses: nodes.map((node) => node.address),
        guests: guestNodes.map((node) => node.address),
        deadAddress: deadAddressOf[transport],
        settle: (ms) => sleep(ms),
        close: async () => {
          await Promise.all([...nodes, ...guestNodes].map((node) => node.stop()))
        },
      }
    },
  }
}
