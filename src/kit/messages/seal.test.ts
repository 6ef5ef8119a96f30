import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateKeyPair, generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import fc from 'fast-check'
import { isMeshError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { traceArbitrary } from '../../testing/core/frame-arbitraries.ts'
import { forAll } from '../../testing/for-all.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { crossingSequence, encodeCrossing, openCrossing, type Sealable, seal } from './seal.ts'

leakCheck()

const key = await generateKeyPairFromSeed('Ed25519', new Uint8Array(32).fill(7))
const otherKey = await generateKeyPairFromSeed('Ed25519', new Uint8Array(32).fill(8))
const origin = peerIdFromPrivateKey(key).toString()
const message: Sealable = {
  origin,
  originMesh: 'mesh-a',
  sequence: crossingSequence(3, 41),
  topic: 'orders',
  body: new TextEncoder().encode('hello'),
  trace: { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' },
}
const id = `${origin}/${3n * 2n ** 32n + 41n}`

async function refusalOf(payload: Uint8Array) {
  const error = await openCrossing(payload).then(
    () => assert.fail('the seal was valid'),
    (reason: unknown) => reason,
  )
  if (!isMeshError(error, 'MESH_SEAL_INVALID')) throw error
  return error.detail
}

test('a crossing survives seal and open, with the hops in front', async (t) => {
  const contents = fc.record({
    originMesh: fc.string({ unit: 'grapheme', maxLength: 6 }),
    topic: fc.string({ unit: 'grapheme', maxLength: 6 }),
    sequence: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    body: fc.uint8Array({ maxLength: 300 }),
    trace: fc.option(traceArbitrary, { nil: undefined }),
  })
  await forAll({ t, numRuns: 60 }, [contents, fc.nat(255)], async ({ trace, ...rest }, hops) => {
    const input = { ...rest, origin, ...(trace === undefined ? {} : { trace }) }
    const sealed = await seal(key, input)
    const { sequence, ...fields } = input
    const opened = await openCrossing(encodeCrossing({ hops, sealed }))
    assert.deepEqual(opened, { ...fields, id: `${origin}/${sequence}`, hops, sealed })
  })
})

test('a changed byte: only the hops may change', async () => {
  const payload = encodeCrossing({ hops: 0, sealed: await seal(key, message) })
  for (let at = 0; at < payload.length; at++) {
    const corrupted = payload.slice()
    corrupted[at] = (corrupted[at] ?? 0) ^ 1
    if (at === 0) assert.equal((await openCrossing(corrupted)).hops, 1)
    else await refusalOf(corrupted)
  }
})

test('an invalid seal: the error has the claimed origin and id', async () => {
  const payload = encodeCrossing({ hops: 0, sealed: await seal(key, message) })
  payload[payload.length - 70] = 0
  assert.deepEqual(await refusalOf(payload), { reason: 'the signature is not the origin’s', origin, id })
  const forged = encodeCrossing({ hops: 0, sealed: await seal(otherKey, message) })
  assert.deepEqual(await refusalOf(forged), { reason: 'the signature is not the origin’s', origin, id })
})

test('a truncated or oversized payload, or a later version, is refused', async () => {
  const payload = encodeCrossing({ hops: 0, sealed: await seal(key, message) })
  for (let length = 0; length < payload.length; length++) await refusalOf(payload.subarray(0, length))
  const later = payload.slice()
  later[1] = 2
  assert.match((await refusalOf(later)).reason, /version 2/)
  assert.match((await refusalOf(new Uint8Array(limits.messageBytes + 2_000))).reason, /62000 bytes/)
})

test('random bytes are refused', (t) =>
  forAll({ t, numRuns: 300 }, [fc.uint8Array({ maxLength: 400 })], async (bytes) => {
    await refusalOf(bytes)
  }))

test('an origin without an Ed25519 key, or in another text form of its peer id, is refused', async () => {
  const secp = await generateKeyPair('secp256k1')
  await assert.rejects(async () => seal(secp, message), { code: 'MESH_MESSAGE_INVALID' })
  const cid = peerIdFromPrivateKey(key).toCID().toString()
  for (const claimed of ['', 'nobody', peerIdFromPrivateKey(secp).toString(), cid]) {
    const sealed = await seal(key, { ...message, origin: claimed })
    assert.match((await refusalOf(encodeCrossing({ hops: 0, sealed }))).reason, /no Ed25519 key/)
  }
})

test('a body or a topic that is too long is refused before the seal', async () => {
  await assert.rejects(seal(key, { ...message, body: new Uint8Array(limits.messageBytes + 1) }), {
    code: 'MESH_MESSAGE_TOO_LARGE',
  })
  await assert.rejects(seal(key, { ...message, topic: 't'.repeat(256) }), { code: 'MESH_MESSAGE_INVALID' })
  const longest = { ...message, body: new Uint8Array(limits.messageBytes), topic: 't'.repeat(255) }
  const payload = encodeCrossing({ hops: 4, sealed: await seal(key, longest) })
  assert.equal((await openCrossing(payload)).topic, longest.topic)
  assert(payload.length < 65_536 - 300, 'no room for gossipsub’s own envelope')
})

test('the sequence of a later incarnation is higher', () => {
  assert(crossingSequence(2, 0) > crossingSequence(1, 2 ** 32 - 1))
})
