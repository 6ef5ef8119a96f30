import { createHash } from 'node:crypto'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import type { PeerId, PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { Libp2pOptions } from 'libp2p'
import type { Clock } from '../../core/machine.ts'
import type { Owner } from '../../core/owner.ts'
import { silentLibp2p } from '../libp2p-logger.ts'
import { lazyNoise, quicSettings } from '../transports.ts'
import { failureOf } from './dial-failure.ts'

interface DialBackTarget {
  readonly nonce: string
  readonly peer: string
  /** Multiaddr without peer id. */
  readonly address: string
  readonly limitMs: number
  readonly owner: Owner
}

/** Time to close the sockets. */
const stopMs = 2_000
/** Time for a dial-back to arrive after its request, and to end. */
const expectedMs = 20_000

/**
 * Dials an address with a temporary libp2p node: this node's own would reuse its connection to the peer, or keep a
 * second one. Resolves with an empty text if the peer with this id answers, else with the `error.type`.
 */
export async function dialBack({ nonce, peer, address, limitMs, owner }: DialBackTarget): Promise<string> {
  try {
    const { createLibp2p } = await import('libp2p')
    const privateKey = await keyOf(nonce)
    const node = await createLibp2p({ ...baseSettings, ...(await transportTo(address)), privateKey, start: false })
    const stop = owner.adopt('dial-back', () => node.stop(), stopMs)
    try {
      await node.start()
      const target = multiaddr(address).encapsulate(`/p2p/${peer}`)
      const connection = await node.dial(target, {
        signal: AbortSignal.any([owner.signal, AbortSignal.timeout(limitMs)]),
      })
      connection.abort(new Error('the dial-back has ended'))
      return ''
    } finally {
      await stop()
    }
  } catch (error) {
    return failureOf(error).type
  }
}

/** One outbound connection, without keepalive or reconnects. */
const baseSettings: Libp2pOptions = {
  connectionMonitor: { enabled: false },
  connectionManager: { reconnectRetries: 0 },
  logger: silentLibp2p,
}

/** Loads only the transport of the address: an application that only uses TCP needs no native QUIC library. */
async function transportTo(address: string): Promise<Libp2pOptions> {
  if (address.includes('/quic-v1')) {
    const { quic } = await import('@libp2p/quic')
    return { transports: [quic(quicSettings)] }
  }
  const [{ tcp }, { yamux }] = await Promise.all([import('@libp2p/tcp'), import('@libp2p/yamux')])
  return { transports: [tcp()], connectionEncrypters: [lazyNoise()], streamMuxers: [yamux()] }
}

/** A failure takes the full limit: an early one would let the requester distinguish closed from filtered ports. */
export async function dialBackInTime(target: DialBackTarget, clock: Clock): Promise<string> {
  const { limitMs, owner } = target
  const startedAt = clock.now()
  const errorType = await dialBack(target)
  const waitMs = limitMs - (clock.now() - startedAt)
  if (errorType !== '' && waitMs > 0 && !owner.closed)
    await new Promise<void>((resolve) => {
      owner.after(waitMs, resolve)
    })
  return errorType
}

/** Peers that only dial this node back and disconnect at once: neither guests nor members. */
export class ExpectedProbes {
  readonly #owner: Owner
  #peers: readonly string[] = []

  constructor(owner: Owner) {
    this.#owner = owner
  }

  /** The neighbour that gets this nonce dials with a peer id derived from it. */
  expect(nonce: string): void {
    void keyOf(nonce).then((key) => {
      if (this.#owner.closed) return
      const peer = peerIdFromPrivateKey(key).toString()
      this.#peers = [...this.#peers, peer]
      this.#owner.after(expectedMs, () => {
        this.#peers = this.#peers.filter((other) => other !== peer)
      })
    })
  }

  includes(peer: PeerId): boolean {
    return this.#peers.length > 0 && this.#peers.includes(peer.toString())
  }
}

function keyOf(nonce: string): Promise<PrivateKey> {
  return generateKeyPairFromSeed('Ed25519', createHash('sha256').update(`tracemesh dial-back ${nonce}`).digest())
}
