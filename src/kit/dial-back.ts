import { createHash } from 'node:crypto'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import type { PeerId, PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { Libp2pOptions } from 'libp2p'
import type { Clock } from '../core/machine.ts'
import type { Owner } from '../core/owner.ts'
import { failureOf } from './dial-failure.ts'
import { lazyNoise } from './lazy-noise.ts'
import { quicSettings } from './quic-settings.ts'
import { silentLibp2p } from './silent-libp2p.ts'

export interface DialBackTarget {
  readonly nonce: string
  readonly peer: string
  /** Multiaddr without peer id. */
  readonly address: string
  readonly limitMs: number
  readonly owner: Owner
}

/** Closing sockets takes no longer. */
const stopMs = 2_000
/** For a dial-back to arrive after it was asked for, and to end. */
const expectedMs = 20_000

/**
 * Dials an address with a node of its own: the node that asked would otherwise hand out the connection that is there,
 * or keep a second one to the peer. Resolves with an empty text when the peer with this id answers there, and with the
 * `error.type` otherwise.
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

/** One outgoing connection, and nothing that keeps or repeats it. */
const baseSettings: Libp2pOptions = {
  connectionMonitor: { enabled: false },
  connectionManager: { reconnectRetries: 0 },
  logger: silentLibp2p,
}

/** Loads the transport of the address alone: an application that only speaks TCP needs no native QUIC library. */
async function transportTo(address: string): Promise<Libp2pOptions> {
  if (address.includes('/quic-v1')) {
    const { quic } = await import('@libp2p/quic')
    return { transports: [quic(quicSettings)] }
  }
  const [{ tcp }, { yamux }] = await Promise.all([import('@libp2p/tcp'), import('@libp2p/yamux')])
  return { transports: [tcp()], connectionEncrypters: [lazyNoise()], streamMuxers: [yamux()] }
}

/** A failure takes as long as the limit: an early one would tell the asker a closed port from a filtered one. */
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

/** Peers that come to dial this node back, and are gone at once: neither guests nor members. */
export class ExpectedProbes {
  readonly #owner: Owner
  #peers: readonly string[] = []

  constructor(owner: Owner) {
    this.#owner = owner
  }

  /** A neighbour that was asked with this nonce dials with the identity that follows from it. */
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
