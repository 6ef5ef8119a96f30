import fc from 'fast-check'
import { closeReasons } from '../../catalogue/bands.ts'
import { roles } from '../../catalogue/roles.ts'
import type { Digest, Frame, FrameType, Hello } from '../../core/frames.ts'
import type { TraceRef } from '../../core/trace.ts'

/** Arbitraries of valid frames, for property tests. */

function text(alphabet: string, minLength: number, maxLength: number): fc.Arbitrary<string> {
  return fc.string({ unit: fc.constantFrom(...alphabet), minLength, maxLength })
}

const base58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'

export const peerIdArbitrary = text(base58, 44, 44).map((tail) => `12D3KooW${tail}`)

/** People choose names: any text on one line, quotes and other scripts included. */
const nameArbitrary = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
  .filter((name) => name.length <= 64 && !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(name))

/** Objects with the usual prototype, as JSON.parse makes them. */
const plain = { noNullPrototype: true } as const

export const traceArbitrary: fc.Arbitrary<TraceRef> = fc.record(
  {
    traceId: text('0123456789abcdef', 31, 31).map((id) => `${id}1`),
    spanId: text('0123456789abcdef', 15, 15).map((id) => `${id}1`),
  },
  plain,
)

const meshesArbitrary = fc.array(nameArbitrary, { minLength: 1, maxLength: 2 })

const instanceArbitrary = text('0123456789abcdef', 16, 16)

/** The same with an optional field, which earlier versions do not send. */
function withOptional<T extends object, K extends string, V>(base: fc.Arbitrary<T>, key: K, value: fc.Arbitrary<V>) {
  return fc.tuple(base, fc.option(value)).map(([value, extra]) => (extra === null ? value : { ...value, [key]: extra }))
}

const plainHello: fc.Arbitrary<Hello> = fc.record(
  {
    meshes: meshesArbitrary,
    name: nameArbitrary,
    role: fc.constantFrom(...roles),
    incarnation: fc.maxSafeNat(),
    build: nameArbitrary,
    counter: fc.maxSafeNat(),
    trace: traceArbitrary,
  },
  plain,
)

export const helloArbitrary: fc.Arbitrary<Hello> = withOptional(plainHello, 'instance', instanceArbitrary)

const conflictsArbitrary = fc.array(
  fc.record(
    {
      peer: peerIdArbitrary,
      instances: fc.array(instanceArbitrary, { minLength: 2, maxLength: 2 }),
      addresses: fc.constant(['/ip4/10.0.0.1/udp/4001/quic-v1', '/ip4/10.0.0.2/tcp/4001']),
    },
    plain,
  ),
  { maxLength: 4 },
)

const plainDigest: fc.Arbitrary<Digest> = fc.record(
  {
    peer: peerIdArbitrary,
    name: nameArbitrary,
    role: fc.constantFrom(...roles),
    meshes: meshesArbitrary,
    incarnation: fc.maxSafeNat(),
    sequence: fc.maxSafeNat(),
    intervalMs: fc.integer({ min: 1, max: 60_000 }),
    addresses: fc.array(
      fc.nat(65_535).map((port) => `/ip4/127.0.0.1/udp/${port}/quic-v1`),
      { maxLength: 16 },
    ),
    topics: fc.array(nameArbitrary, { maxLength: 64 }),
    links: fc.array(peerIdArbitrary, { maxLength: 64 }),
    sentAt: fc.maxSafeNat(),
  },
  plain,
)

export const digestArbitrary: fc.Arbitrary<Digest> = withOptional(
  withOptional(plainDigest, 'instance', instanceArbitrary),
  'conflicts',
  conflictsArbitrary,
)

const nonceArbitrary = text('0123456789abcdef', 32, 32)

/** Of each type; its frame without `type`. */
const frames: { readonly [T in FrameType]: fc.Arbitrary<Omit<Extract<Frame, { readonly type: T }>, 'type'>> } = {
  hello: fc.record({ hello: helloArbitrary }, plain),
  digest: fc.record({ digest: digestArbitrary }, plain),
  unchanged: fc.record({ incarnation: fc.maxSafeNat(), sequence: fc.maxSafeNat() }, plain),
  probe: fc.record({}, plain),
  answer: fc.record({}, plain),
  credentials: fc.record({ credentials: fc.array(text('abcXYZ019-_.', 0, 200), { maxLength: 2 }) }, plain),
  goodbye: fc.record({ reason: fc.constantFrom(...closeReasons), trace: traceArbitrary }, plain),
  'dialback.request': fc.record(
    {
      request: fc.record(
        { nonce: nonceArbitrary, transport: fc.constantFrom('quic', 'tcp'), port: fc.integer({ min: 1, max: 65_535 }) },
        plain,
      ),
    },
    plain,
  ),
  'dialback.result': fc.record(
    {
      result: fc.record(
        { nonce: nonceArbitrary, outcome: fc.constantFrom('reachable', 'unreachable', 'refused') },
        plain,
      ),
    },
    plain,
  ),
}

export const frameArbitrary: fc.Arbitrary<Frame> = fc.oneof(
  ...Object.entries(frames).map(([type, frame]) => frame.map((fields) => ({ type, ...fields }) as Frame)),
)
