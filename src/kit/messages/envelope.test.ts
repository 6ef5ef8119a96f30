import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isMeshError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { traceArbitrary } from '../../testing/core/frame-arbitraries.ts'
import { forAll } from '../../testing/for-all.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { decodeMessage, encodeMessage, envelopeBytes } from './envelope.ts'

leakCheck()

const trace = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' }
const body = new TextEncoder().encode('hello')
const bodies = fc.uint8Array({ maxLength: 200 })

const stamps = fc
  .tuple(
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.maxSafeNat().map((n) => n % 2 ** 48),
  )
  .map(([sequence, sentAt]) => ({ sequence, sentAt }))

test('body, trace, stamp and flag survive encode and decode', async (t) => {
  const traces = fc.option(traceArbitrary, { nil: undefined })
  await forAll({ t }, [bodies, traces, fc.option(stamps), fc.boolean()], (body, trace, stamp, crossing) => {
    const message = { body, ...(trace && { trace }), ...(stamp && { stamp }), ...(crossing && { crossing }) }
    const bytes = encodeMessage(message)
    assert(bytes.length <= body.length + envelopeBytes)
    assert.deepEqual(decodeMessage(bytes), message)
  })
})

const stamp = { sequence: 7n, sentAt: 1_700_000_000_000 }

test('a trace takes 24 bytes, a stamp 14, the rest of the header 6', () => {
  assert.equal(encodeMessage({ body }).length, 6 + body.length)
  assert.equal(encodeMessage({ body, trace }).length, 30 + body.length)
  assert.equal(encodeMessage({ body, trace, stamp }).length, envelopeBytes + body.length)
})

test('the layout matches the one documented for readers in other languages', () => {
  const header = 'f5746d65 01 07 0af7651916cd43dd8448eb211c80319c b7ad6b7169203331 0000000000000007 018bcfe56800'
  const payload = Buffer.from(`${header} 68656c6c6f`.replaceAll(' ', ''), 'hex')
  assert.deepEqual(Buffer.from(encodeMessage({ body, trace, stamp, crossing: true })), payload)
  // A reader strips the header by the flags alone.
  const flags = payload[5] ?? 0
  assert.deepEqual(payload.subarray(6 + (flags & 2 ? 24 : 0) + (flags & 4 ? 14 : 0)), Buffer.from(body))
})

test('random bytes after the magic: refused, or decoded and encoded to the same payload', async (t) => {
  const versions = fc.oneof(fc.constant(1), fc.nat(255))
  const flags = fc.oneof(fc.nat(7), fc.nat(255))
  await forAll({ t, numRuns: 2_000 }, [versions, flags, fc.uint8Array({ maxLength: 80 })], (version, flags, rest) => {
    const payload = Uint8Array.of(0xf5, 0x74, 0x6d, 0x65, version, flags, ...rest)
    try {
      assert.deepEqual(encodeMessage(decodeMessage(payload)), payload)
      assert.deepEqual([version, flags & ~7], [1, 0])
    } catch (error) {
      assert.ok(isMeshError(error, 'MESH_MESSAGE_INVALID'), String(error))
    }
  })
})

test('a trace or a stamp that does not fit its bytes is refused', () => {
  const invalid = [
    { trace: { traceId: '0af7', spanId: 'b7ad' } },
    { trace: { traceId: '0'.repeat(32), spanId: 'b7ad6b7169203331' } },
    { trace: { traceId: 'g'.repeat(32), spanId: 'b7ad6b7169203331' } },
    { stamp: { sequence: 2n ** 64n, sentAt: 0 } },
    { stamp: { sequence: -1n, sentAt: 0 } },
    { stamp: { sequence: 1n, sentAt: 2 ** 48 } },
    { stamp: { sequence: 1n, sentAt: Number.NaN } },
  ]
  for (const part of invalid) {
    assert.throws(() => encodeMessage({ body, ...part }), { code: 'MESH_MESSAGE_INVALID' }, JSON.stringify(part.trace))
  }
})

test('a guest’s payload without a header is the body', async (t) => {
  await forAll({ t }, [fc.string({ unit: 'binary' })], (text) => {
    const plain = new TextEncoder().encode(text)
    assert.deepEqual(decodeMessage(plain), { body: plain })
  })
  assert.deepEqual(decodeMessage(new Uint8Array(0)), { body: new Uint8Array(0) })
})

test('a body that looks like an envelope stays a body', () => {
  const envelope = encodeMessage({ body, trace, crossing: true })
  assert.deepEqual(decodeMessage(encodeMessage({ body: envelope })), { body: envelope })
})

test('a truncated envelope, a later version, or an all-zero trace is refused', () => {
  const encoded = encodeMessage({ body: new Uint8Array(0), trace, stamp })
  for (let length = 4; length < encoded.length; length++) {
    assert.throws(() => decodeMessage(encoded.subarray(0, length)), { code: 'MESH_MESSAGE_INVALID' }, `${length} bytes`)
  }
  for (const [at, byte] of [
    [4, 2],
    [5, 8],
  ] as const) {
    const corrupted = encoded.slice()
    corrupted[at] = byte
    assert.throws(() => decodeMessage(corrupted), { code: 'MESH_MESSAGE_INVALID' })
  }
  assert.throws(() => decodeMessage(encoded.slice().fill(0, 6)), { code: 'MESH_MESSAGE_INVALID' })
})

test('a body above the limit is refused', () => {
  const longest = new Uint8Array(limits.messageBytes)
  assert.deepEqual(decodeMessage(encodeMessage({ body: longest })).body, longest)
  assert.throws(() => encodeMessage({ body: new Uint8Array(limits.messageBytes + 1) }), {
    code: 'MESH_MESSAGE_TOO_LARGE',
    detail: { bytes: limits.messageBytes + 1, limit: limits.messageBytes },
  })
  assert.throws(() => encodeMessage({ body }, 4), { code: 'MESH_MESSAGE_TOO_LARGE' })
})
