import type { Digest } from '../../core/frames.ts'
import type { Random } from '../../core/machine.ts'
import { encodeFrame } from '../../kit/wire.ts'
import { helloOf, rawFrame, type Saying } from '../../testing/rude-peer.ts'

/** What a peer says that it must not, and what the node has to say of it. */
export interface Misbehaviour {
  readonly what: string
  readonly saying: Saying
  /** Span that tells of it, and what its reason or message has to hold. */
  readonly span: 'mesh.frame.refused' | 'mesh.link.refused'
  readonly reason: string
}

const encoder = new TextEncoder()
const hello = 1
/** Of a type that only a later version knows: passed over, and counted all the same. */
const passedOver = 200

/** `member`: peer id of a healthy node, for which the peer will speak. */
export function misbehaviours(member: string): readonly Misbehaviour[] {
  const span = 'mesh.frame.refused'
  const wrong = { meshes: 'mesh-a', name: 7, role: 'queen', incarnation: 'one', build: [], counter: -1, trace: null }
  const said = helloOf()
  return [
    {
      what: 'oversized',
      saying: { chunks: [rawFrame(hello, new Uint8Array(20_000))] },
      span,
      reason: '20000 bytes is too long',
    },
    {
      what: 'oversized by its header alone',
      saying: { chunks: [Uint8Array.of(255, 255, hello)] },
      span,
      reason: 'too long',
    },
    {
      what: 'truncated by the end of the stream',
      saying: { chunks: [said.subarray(0, 50)], ends: true },
      span,
      reason: 'within a frame',
    },
    { what: 'truncated JSON', saying: { chunks: [rawFrame(hello, said.subarray(3, 50))] }, span, reason: 'not JSON' },
    {
      what: 'wrong types',
      saying: { chunks: [rawFrame(hello, encoder.encode(JSON.stringify(wrong)))] },
      span,
      reason: 'hello.',
    },
    {
      what: 'an array for a hello',
      saying: { chunks: [rawFrame(hello, encoder.encode('[]'))] },
      span,
      reason: 'hello',
    },
    {
      what: 'a frame of no known type',
      saying: { chunks: [rawFrame(99, new Uint8Array(4))] },
      span,
      reason: 'type 99',
    },
    {
      what: 'another mesh',
      saying: { chunks: [helloOf({ meshes: ['mesh-z'] })] },
      span: 'mesh.link.refused',
      reason: 'mesh-z',
    },
    {
      what: 'a digest without a hello',
      saying: { chunks: [digestFor(member)] },
      span,
      reason: 'no member',
    },
    {
      what: 'a digest for somebody else',
      saying: { chunks: [said, digestFor(member)] },
      span,
      reason: 'somebody else',
    },
    {
      what: '10,000 frames at once that mean nothing',
      saying: {
        chunks: [said, Buffer.concat(Array<Uint8Array>(10_000).fill(rawFrame(passedOver, new Uint8Array(8))))],
      },
      span,
      reason: 'more frames than allowed',
    },
  ]
}

/** `count` frames of random bytes, behind a hello or not: a third without a sound header, a third of known types, a third to be passed over. */
export function randomFrames(count: number, random: Random): Saying {
  const byte = () => Math.floor(random() * 256)
  const bytes = () => Uint8Array.from({ length: Math.floor(random() * 300) }, byte)
  const kinds = [
    bytes,
    () => rawFrame(1 + Math.floor(random() * 6), bytes()),
    () => rawFrame(128 + byte() / 2, bytes()),
  ]
  const frame = () => kinds[Math.floor(random() * kinds.length)]?.() ?? bytes()
  const polite = random() < 0.5 ? [helloOf()] : []
  return { chunks: [...polite, ...Array.from({ length: count }, frame)], ends: true }
}

/** Newer than anything that the member says of itself: believed, it would take its place. */
function digestFor(peer: string): Uint8Array {
  const digest: Digest = {
    peer,
    name: 'impostor',
    role: 'compute',
    meshes: ['mesh-a'],
    incarnation: 2 ** 40,
    sequence: 1,
    intervalMs: 2_000,
    addresses: [],
    topics: [],
    links: [],
    sentAt: Date.now(),
  }
  return encodeFrame({ type: 'digest', digest })
}
