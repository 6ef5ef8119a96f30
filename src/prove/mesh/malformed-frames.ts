import type { Digest } from '../../core/frames.ts'
import type { Random } from '../../core/machine.ts'
import { encodeFrame } from '../../kit/wire.ts'
import { helloOf, rawFrame, type StreamInput } from '../../testing/cluster/misbehaving-peer.ts'

/** Malformed frames of a peer, and the span that the node must emit for them. */
export interface Misbehaviour {
  readonly what: string
  readonly saying: StreamInput
  /** The span, and a part of its reason or message. */
  readonly span: 'mesh.frame.refused' | 'mesh.link.refused'
  readonly reason: string
}

const encoder = new TextEncoder()
const hello = 1
/** A type of a later version: the node ignores the frame, and counts it. */
const ignoredType = 200

/** `member`: peer id of a healthy node, in whose name the peer sends a digest. */
export function misbehaviours(member: string): readonly Misbehaviour[] {
  const span = 'mesh.frame.refused'
  const wrong = { meshes: 'mesh-a', name: 7, role: 'queen', incarnation: 'one', build: [], counter: -1, trace: null }
  const helloFrame = helloOf()
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
      saying: { chunks: [helloFrame.subarray(0, 50)], ends: true },
      span,
      reason: 'within a frame',
    },
    {
      what: 'truncated JSON',
      saying: { chunks: [rawFrame(hello, helloFrame.subarray(3, 50))] },
      span,
      reason: 'not JSON',
    },
    {
      what: 'wrong types',
      saying: { chunks: [rawFrame(hello, encoder.encode(JSON.stringify(wrong)))] },
      span,
      reason: 'hello.',
    },
    {
      what: 'an array as hello',
      saying: { chunks: [rawFrame(hello, encoder.encode('[]'))] },
      span,
      reason: 'hello',
    },
    {
      what: 'a frame of unknown type',
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
      reason: 'non-member',
    },
    {
      what: 'a digest in the name of another node',
      saying: { chunks: [helloFrame, digestFor(member)] },
      span,
      reason: 'another peer',
    },
    {
      what: '10,000 frames of an ignored type at once',
      saying: {
        chunks: [helloFrame, Buffer.concat(Array<Uint8Array>(10_000).fill(rawFrame(ignoredType, new Uint8Array(8))))],
      },
      span,
      reason: 'more frames than allowed',
    },
  ]
}

/** `count` random frames, with or without a hello: a third with an invalid header, of known types, of ignored types. */
export function randomFrames(count: number, random: Random): StreamInput {
  const byte = () => Math.floor(random() * 256)
  const bytes = () => Uint8Array.from({ length: Math.floor(random() * 300) }, byte)
  const kinds = [
    bytes,
    () => rawFrame(1 + Math.floor(random() * 6), bytes()),
    () => rawFrame(128 + byte() / 2, bytes()),
  ]
  const frame = () => kinds[Math.floor(random() * kinds.length)]?.() ?? bytes()
  const optionalHello = random() < 0.5 ? [helloOf()] : []
  return { chunks: [...optionalHello, ...Array.from({ length: count }, frame)], ends: true }
}

/** Newer than the member's own digests: a node that accepts it replaces the member. */
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
