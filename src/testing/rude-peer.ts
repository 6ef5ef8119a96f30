import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import type { Connection, Stream, StreamMessageEvent } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import type { Frame, Hello } from '../core/frames.ts'
import { newTrace } from '../core/trace.ts'
import { libp2pSettings } from '../kit/libp2p-settings.ts'
import { linkProtocol } from '../kit/link-streams.ts'
import { encodeFrame, FrameReader } from '../kit/wire.ts'
import { until } from './until.ts'

export interface Saying {
  /** Chunks as they are written. */
  readonly chunks: readonly Uint8Array[]
  /** Nothing follows, and the other side is told so. */
  readonly ends?: boolean
}

/** What became of one saying. */
export interface Answer {
  /** Frames that came back before the end. */
  readonly frames: readonly Frame[]
  /** Milliseconds until the other side had ended the connection. */
  readonly endedAfterMs: number
}

/** A libp2p peer that can dial and identify and keeps to no other rule of the mesh. */
export interface RudePeer {
  readonly peer: string
  /** Says this on a new link stream of a new connection, and waits until the other side has ended that. */
  say(saying: Saying): Promise<Answer>
  stop(): Promise<void>
}

/** `address`: a multiaddr of the node it is rude to. `limitMs`: the longest it waits for the end of a connection. */
export async function startRudePeer(address: string, limitMs: number): Promise<RudePeer> {
  const privateKey = await generateKeyPair('Ed25519')
  const settings = libp2pSettings({ privateKey, listen: [] })
  const libp2p = await createLibp2p({ ...settings, services: { identify: identify() } })
  const target = multiaddr(address)
  return {
    peer: libp2p.peerId.toString(),
    say: async (saying) => {
      const connection = await libp2p.dial(target, { force: true, signal: AbortSignal.timeout(limitMs) })
      return speak(connection, saying, limitMs)
    },
    stop: async () => libp2p.stop(),
  }
}

async function speak(connection: Connection, { chunks, ends }: Saying, limitMs: number): Promise<Answer> {
  const began = performance.now()
  const stream = await connection.newStream(linkProtocol, { signal: AbortSignal.timeout(limitMs) })
  const frames: Frame[] = []
  const reader = new FrameReader()
  stream.addEventListener('message', ({ data }: StreamMessageEvent) => {
    frames.push(...reader.push(data instanceof Uint8Array ? data : data.subarray(), performance.now()))
  })
  await write(stream, chunks)
  // Not waited for: the other side may end the connection before that.
  if (ends) stream.close({ signal: AbortSignal.timeout(limitMs) }).catch(() => {})
  await until(() => connection.status !== 'open', limitMs, 'the other side ends the connection')
  return { frames, endedAfterMs: performance.now() - began }
}

/** The other side may have had enough before all is said. */
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

/** A hello as any node may say it. */
export function helloOf(changes: Partial<Hello> = {}): Uint8Array {
  const trace = newTrace(Math.random)
  const named = { meshes: ['mesh-a'], name: 'rude', role: 'compute', build: 'rude/1', trace } as const
  return encodeFrame({ type: 'hello', hello: { ...named, incarnation: 1, counter: 1, ...changes } })
}

/** A frame by hand. `announced`: the length in its header, that of the payload unless told otherwise. */
export function rawFrame(type: number, payload: Uint8Array, announced = payload.length): Uint8Array {
  return Uint8Array.from([announced >> 8, announced & 255, type, ...payload])
}
