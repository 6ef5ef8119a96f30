import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { limits } from '../core/limits.ts'
import { traceArbitrary } from '../testing/frame-arbitraries.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { announceSeed } from '../testing/random.ts'
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

test('body, trace, stamp and flag come out as they went in', (t) => {
  const seed = announceSeed(t)
  const traces = fc.option(traceArbitrary, { nil: undefined })
  fc.assert(
    fc.property(bodies, traces, fc.option(stamps), fc.boolean(), (body, trace, stamp, crossing) => {
      const message = { body, ...(trace && { trace }), ...(stamp && { stamp }), ...(crossing && { crossing }) }
      const bytes = encodeMessage(message)
      assert(bytes.length <= body.length + envelopeBytes)
      assert.deepEqual(decodeMessage(bytes), message)
    }),
    { seed },
  )
})

const stamp = { sequence: 7n, sentAt: 1_700_000_000_000 }

test('a trace costs 24 bytes, a stamp 14, everything else six', () => {
  assert.equal(encodeMessage({ body }).length, 6 + body.length)
  assert.equal(encodeMessage({ body, trace }).length, 30 + body.length)
  assert.equal(encodeMessage({ body, trace, stamp }).length, envelopeBytes + body.length)
})

test('what a guest publishes is a body as it stands', (t) => {
  const seed = announceSeed(t)
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const plain = new TextEncoder().encode(text)
      assert.deepEqual(decodeMessage(plain), { body: plain })
    }),
    { seed },
  )
  assert.deepEqual(decodeMessage(new Uint8Array(0)), { body: new Uint8Array(0) })
})

test('a body that looks like an envelope is still a body', () => {
  const envelope = encodeMessage({ body, trace, crossing: true })
  assert.deepEqual(decodeMessage(encodeMessage({ body: envelope })), { body: envelope })
})

test('an envelope that is cut short, of a later version, or without a real trace is refused', () => {
  const whole = encodeMessage({ body: new Uint8Array(0), trace, stamp })
  for (let length = 4; length < whole.length; length++) {
    assert.throws(() => decodeMessage(whole.subarray(0, length)), { code: 'MESH_MESSAGE_INVALID' }, `${length} bytes`)
  }
  for (const [at, byte] of [
    [4, 2],
    [5, 8],
  ] as const) {
    const bent = whole.slice()
    bent[at] = byte
    assert.throws(() => decodeMessage(bent), { code: 'MESH_MESSAGE_INVALID' })
  }
  assert.throws(() => decodeMessage(whole.slice().fill(0, 6)), { code: 'MESH_MESSAGE_INVALID' })
})

test('a body above the limit is refused before it is sent', () => {
  assert.equal(
    decodeMessage(encodeMessage({ body: new Uint8Array(limits.messageBytes) })).body.length,
    limits.messageBytes,
  )
  assert.throws(() => encodeMessage({ body: new Uint8Array(limits.messageBytes + 1) }), {
    code: 'MESH_MESSAGE_TOO_LARGE',
    detail: { bytes: limits.messageBytes + 1, limit: limits.messageBytes },
  })
  assert.throws(() => encodeMessage({ body }, 4), { code: 'MESH_MESSAGE_TOO_LARGE' })
})
