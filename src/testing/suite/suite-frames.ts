import type { Digest, Frame } from '../../core/frames.ts'
import { newTrace } from '../../core/trace.ts'
import { seededRandom } from '../random.ts'

const trace = newTrace(seededRandom(1))

/** A digest with every field set, within the limits of every implementation. */
export function digestOf(peer: string, sequence: number): Digest {
  return {
    peer,
    name: 'node-1',
    role: 'gateway',
    meshes: ['suite'],
    incarnation: 3,
    sequence,
    intervalMs: 2_000,
    addresses: ['/ip4/127.0.0.1/udp/4001/quic-v1', '/ip6/::1/tcp/4001'],
    topics: ['orders', 'prices'],
    links: [peer],
    sentAt: 1_700_000_000_000,
  }
}

/** One frame of every type. */
export function allFrames(peer: string): Frame[] {
  return [
    {
      type: 'hello',
      hello: {
        meshes: ['suite', 'other'],
        name: 'node-1',
        role: 'bridge',
        incarnation: 3,
        build: '1.2.3',
        counter: 9,
        trace,
      },
    },
    { type: 'digest', digest: digestOf(peer, 7) },
    { type: 'unchanged', incarnation: 3, sequence: 8 },
    { type: 'probe' },
    { type: 'answer' },
    { type: 'goodbye', reason: 'stopping', trace },
    { type: 'dialback.request', request: { nonce: '0a'.repeat(16), transport: 'quic', port: 4001 } },
    { type: 'dialback.result', result: { nonce: '0a'.repeat(16), outcome: 'unreachable' } },
  ]
}
