import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import type { Connection, PrivateKey, Stream, StreamMessageEvent } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import type { Frame, Hello } from '../../core/frames.ts'
import { newTrace } from '../../core/trace.ts'
import { linkProtocol } from '../../kit/connections/link-streams.ts'
import { libp2pSettings } from '../../kit/libp2p-settings.ts'
import { encodeFrame, FrameReader } from '../../kit/wire.ts'
import { until } from '../../processes/waiting.ts'

export interface StreamInput {
  /** Chunks to write, one by one. */
  readonly chunks: readonly Uint8Array[]
  /** Closes the stream after the chunks. */
  readonly ends?: boolean
}

/** How the other side reacted to one input. */
export interface Answer {
  /** Frames that it sent before the end. */
  readonly frames: readonly Frame[]
  /** Milliseconds until it closed the connection. */
  readonly endedAfterMs: number
}

/**
 * A libp2p peer that dials and identifies but otherwise violates the link protocol. It has another identity for each
 * input, because a node refuses for a minute one that sent a bad frame.
 */
export interface MisbehavingPeer {
  /** Its identities so far. */
  readonly peers: readonly string[]
  /**
   * Sends this on a link stream of a new connection, and waits until the other side closes the connection. `privateKey`:
   * its identity, a new one by default.
   */
  send(input: StreamInput, privateKey?: PrivateKey): Promise<Answer>
}

/** `address`: multiaddr of the node to attack. `limitMs`: how long it waits for the end of a connection. */
export function misbehavingPeer(address: string, limitMs: number): MisbehavingPeer {
  const target = multiaddr(address)
  const peers: string[] = []
  return {
    peers,
    send: async (input, privateKey) => {
      const settings = libp2pSettings({ privateKey: privateKey ?? (await generateKeyPair('Ed25519')), listen: [] })
      const libp2p = await createLibp2p({ ...settings, services: { identify: identify() } })
      peers.push(libp2p.peerId.toString())
      try {
        const connection = await libp2p.dial(target, { force: true, signal: AbortSignal.timeout(limitMs) })
        return await sendOn(connection, input, limitMs)
      } finally {
        await libp2p.stop()
      }
    },
  }
}

async function sendOn(connection: Connection, { chunks, ends }: StreamInput, limitMs: number): Promise<Answer> {
  const startedAt = performance.now()
  const stream = await connection.newStream(linkProtocol, { signal: AbortSignal.timeout(limitMs) })
  const frames: Frame[] = []
  const reader = new FrameReader()
  stream.addEventListener('message', ({ data }: StreamMessageEvent) => {
    frames.push(...reader.push(data instanceof Uint8Array ? data : data.subarray(), performance.now()))
  })
  await write(stream, chunks)
  // Does not wait: the other side may close the connection first.
  if (ends) stream.close({ signal: AbortSignal.timeout(limitMs) }).catch(() => {})
  await until(() => connection.status !== 'open', limitMs, 'the other side closes the connection')
  return { frames, endedAfterMs: performance.now() - startedAt }
}

/** The other side may close the connection before all chunks are written. */
async function write(stream: Stream, chunks: readonly Uint8Array[]): Promise<void> {
  for (const chunk of chunks) {
    if (stream.writeStatus !== 'writable') return
    try {
      if (!stream.send(chunk)) await stream.onDrain({ signal: AbortSignal.timeout(1_000) }).catch(() => {})
    } catch {
      return
    }
  }
}

/** An encoded hello that any node may send. */
export function helloOf(changes: Partial<Hello> = {}): Uint8Array {
  const trace = newTrace(Math.random)
  const named = { meshes: ['mesh-a'], name: 'misbehaving', role: 'compute', build: 'test/1', trace } as const
  return encodeFrame({ type: 'hello', hello: { ...named, incarnation: 1, counter: 1, ...changes } })
}

/** A raw frame. `announced`: the length in its header, by default that of the payload. */
export function rawFrame(type: number, payload: Uint8Array, announced = payload.length): Uint8Array {
  return Uint8Array.from([announced >> 8, announced & 255, type, ...payload])
}
