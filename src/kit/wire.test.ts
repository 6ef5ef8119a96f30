import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Frame } from '../core/frames.ts'
import { limits } from '../core/limits.ts'
import { digestArbitrary, frameArbitrary } from '../testing/core/frame-arbitraries.ts'
import { helloOf, trace } from '../testing/core/node-fixture.ts'
import { digestOf } from '../testing/core/view-fixture.ts'
import { forAll } from '../testing/for-all.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { decodeDigest, encodeDigest, encodeFrame, FrameReader, FrameRefusedError } from './wire.ts'

leakCheck()

const peer = `12D3KooW${'a'.repeat(44)}`
const hello = helloOf({ trace })
const addresses = ['/ip4/127.0.0.1/udp/4001/quic-v1']
const digest = digestOf(peer, { name: 'seed-1', addresses, topics: ['orders'], links: [peer] })

function frame(type: number, payload: Uint8Array | string = ''): Uint8Array {
  const bytes = typeof payload === 'string' ? new TextEncoder().encode(payload) : payload
  return Uint8Array.of(bytes.length >> 8, bytes.length & 255, type, ...bytes)
}

function read(bytes: Uint8Array, reader = new FrameReader()): Frame[] {
  return reader.push(bytes, 0)
}

function refusalOf(run: () => unknown): FrameRefusedError {
  try {
    run()
  } catch (error) {
    assert(error instanceof FrameRefusedError, String(error))
    assert.equal(error.code, 'MESH_FRAME_INVALID')
    return error
  }
  return assert.fail('no refusal')
}

function refusalReason(bytes: Uint8Array): string {
  return refusalOf(() => read(bytes)).detail.reason
}

test('frames survive encode and decode at any chunk boundaries', async (t) => {
  const cuts = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 20 })
  await forAll({ t, numRuns: 200 }, [fc.array(frameArbitrary, { maxLength: 12 }), cuts], (frames, sizes) => {
    const bytes = Buffer.concat(frames.map(encodeFrame))
    const reader = new FrameReader()
    const decoded: Frame[] = []
    for (let at = 0, n = 0; at < bytes.length; n++) {
      const size = sizes[n % sizes.length] ?? 1
      decoded.push(...reader.push(bytes.subarray(at, at + size), 0))
      at += size
    }
    assert.deepEqual(decoded, frames)
    assert.equal(reader.bufferedBytes, 0)
  })
})

test('the layout is u16 length, u8 type, payload', () => {
  assert.deepEqual([...encodeFrame({ type: 'probe' })], [0, 0, 4])
  assert.deepEqual([...encodeFrame({ type: 'answer' })], [0, 0, 5])
  const unchanged = encodeFrame({ type: 'unchanged', incarnation: 1, sequence: 258 })
  assert.deepEqual([...unchanged], [0, 16, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 2])
  const goodbye = encodeFrame({ type: 'goodbye', reason: 'stopping', trace })
  assert.deepEqual([...goodbye.subarray(0, 4)], [0, 56, 6, 1])
  assert.equal(new TextDecoder().decode(goodbye.subarray(4)), `00-${trace.traceId}-${trace.spanId}-01`)
})

test('10,000 random strings: valid frames or a refusal, and at most one frame buffered', async (t) => {
  const header = fc.tuple(fc.nat(70), fc.nat(255), fc.nat(9), fc.uint8Array({ maxLength: 300 }))
  const nearlyFrames = header.map(([high, low, type, rest]) => Uint8Array.of(high, low, type, ...rest))
  const corrupted = fc.tuple(frameArbitrary, fc.nat(), fc.nat(255)).map(([sound, at, byte]) => {
    const bytes = encodeFrame(sound)
    bytes[at % bytes.length] = byte
    return bytes
  })
  let refusals = 0
  await forAll(
    { t, numRuns: 10_000 },
    [fc.oneof(fc.uint8Array({ maxLength: 400 }), nearlyFrames, corrupted)],
    (bytes) => {
      const reader = new FrameReader()
      try {
        for (const sound of reader.push(bytes, 0)) assert.deepEqual(read(encodeFrame(sound)), [sound])
      } catch (error) {
        if (!(error instanceof FrameRefusedError)) throw error
        refusals += 1
        assert.equal(reader.bufferedBytes, 0)
      }
      assert(reader.bufferedBytes <= 3 + limits.frameBytes)
    },
  )
  assert(refusals > 1_000, `only ${refusals} refusals: the generator is too weak`)
})

test('a header above the length limit is refused before the payload arrives', () => {
  const tooLong = limits.frameBytes + 1
  assert.match(refusalReason(Uint8Array.of(tooLong >> 8, tooLong & 255, 2)), /too long/)
})

test('unknown types below 128 are refused, from 128 on ignored', () => {
  for (const type of [0, 8, 15, 16, 127]) assert.match(refusalReason(frame(type)), /no frame has type/)
  const later = Buffer.concat([frame(250, 'hint'), encodeFrame({ type: 'probe' }), frame(255, 'hint')])
  assert.deepEqual(read(later), [{ type: 'probe' }])
})

test('malformed payloads are refused, and the reason names only the field', () => {
  const secret = 'from the peer'
  for (const [bytes, reason] of [
    [frame(4, 'x'), /probe with a payload/],
    [frame(3, 'x'), /unchanged of 1 bytes/],
    [frame(3, new Uint8Array(16).fill(255)), /safe integers/],
    [frame(6), /traceparent/],
    [frame(6, `\u0001${secret}`), /traceparent/],
    [frame(1, '{'), /not JSON/],
    [frame(1, Uint8Array.of(0xff)), /not JSON/],
    [frame(1, 'null'), /^hello: invalid type$/],
    [frame(1, '[]'), /^hello: invalid type$/],
    [frame(1, JSON.stringify({ ...hello, trace: secret })), /^hello\.trace: custom$/],
    [frame(1, JSON.stringify({ ...hello, trace: '00-x', role: secret })), /^hello\.role: invalid value$/],
    [frame(2, JSON.stringify({ ...digest, sequence: -1 })), /^digest\.sequence: too small$/],
    [frame(2, JSON.stringify({ ...digest, sequence: 1.5 })), /^digest\.sequence: invalid type$/],
    [frame(2, JSON.stringify({ ...digest, sequence: 2 ** 53 })), /^digest\.sequence: too big$/],
    [frame(2, JSON.stringify({ ...digest, instance: 'x' })), /^digest\.instance: invalid format$/],
    [frame(2, JSON.stringify({ ...digest, conflicts: [{ peer }] })), /^digest\.conflicts\.0\.instances: invalid type$/],
    [frame(2, JSON.stringify({ ...digest, conflicts: Array(5).fill({}) })), /^digest\.conflicts/],
    [frame(2, JSON.stringify({ ...digest, intervalMs: 0 })), /^digest\.intervalMs: too small$/],
    [frame(2, JSON.stringify({ ...digest, intervalMs: 1e9 })), /^digest\.intervalMs: too big$/],
    [frame(2, JSON.stringify({ ...digest, meshes: [] })), /^digest\.meshes: too small$/],
    [frame(2, JSON.stringify({ ...digest, meshes: ['a', 'b', 'c'] })), /^digest\.meshes: too big$/],
    [frame(2, JSON.stringify({ ...digest, name: 'n'.repeat(65) })), /^digest\.name: too big$/],
    [frame(2, JSON.stringify({ ...digest, name: 'two\nlines' })), /^digest\.name: invalid format$/],
    [frame(2, JSON.stringify({ ...digest, peer: secret })), /^digest\.peer: invalid format$/],
    [frame(2, JSON.stringify({ ...digest, links: Array(65).fill(peer) })), /^digest\.links: too big$/],
    [frame(2, JSON.stringify({ ...digest, links: [peer, null] })), /^digest\.links\.1: invalid type$/],
    [frame(2, JSON.stringify({ ...digest, topics: Array(65).fill('t') })), /^digest\.topics: too big$/],
    [frame(2, JSON.stringify({ ...digest, addresses: ['127.0.0.1'] })), /^digest\.addresses\.0: invalid format$/],
  ] as const) {
    const message = refusalReason(bytes)
    assert.match(message, reason)
    assert(!message.includes(secret))
  }
})

test('prototype keys and deep nesting have no effect', () => {
  const evil = JSON.stringify({ ...hello, trace: `00-${trace.traceId}-${trace.spanId}-01`, later: 1 })
  const polluting = evil.replace('{', '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},')
  assert.deepEqual(read(frame(1, polluting)), [{ type: 'hello', hello }])
  assert.equal((Object.prototype as { polluted?: boolean }).polluted, undefined)
  assert.match(refusalReason(frame(2, '['.repeat(limits.frameBytes))), /not JSON/)
  const deep = evil.replace('{', `{"deep":${'['.repeat(8_000)}${']'.repeat(8_000)},`)
  assert.deepEqual(read(frame(1, deep)), [{ type: 'hello', hello }])
})

test('peer ids of every key type and both text forms are accepted', () => {
  for (const id of [
    '12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8',
    'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N',
    '16Uiu2HAmPLe7Mzm8TsYUubgCAW1aJoeFScxrLj8ppHFivPo97bUZ',
    'bafzaajaiaejcal72gwuz2or47oyxxn6b3rkwdmmkrxgkjxzy3rqt5kczyn7lcm3l',
    'k51qzi5uqu5dh9ihj4p2v5sl3hxvv27ryx2w0xrsv6jmmqi91t9xp8p9kaipc2',
  ]) {
    const withPeer = { ...digest, peer: id, links: [id] }
    assert.deepEqual(read(encodeFrame({ type: 'digest', digest: withPeer })), [{ type: 'digest', digest: withPeer }])
  }
})

test('a flood is refused; the same frames over a longer time are not', () => {
  const probe = encodeFrame({ type: 'probe' })
  const steadyReader = new FrameReader()
  for (let now = 0; now < 10_000; now += 10) steadyReader.push(probe, now)
  const floodedReader = new FrameReader()
  const flood = Buffer.concat(Array(limits.framesPerSecond + 1).fill(probe))
  const refusal = refusalOf(() => read(flood, floodedReader))
  assert.equal(refusal.isFlood, true)
  assert.equal(refusal.frames.length, limits.framesPerSecond)
})

test('a refused frame: the refusal has the valid frames ahead of it, and none after it', () => {
  const reader = new FrameReader()
  const bytes = Buffer.concat([encodeFrame({ type: 'probe' }), frame(0), encodeFrame({ type: 'answer' })])
  const refusal = refusalOf(() => read(bytes, reader))
  assert.equal(refusal.isFlood, false)
  assert.deepEqual(refusal.frames, [{ type: 'probe' }])
  assert.match(refusalOf(() => read(encodeFrame({ type: 'probe' }), reader)).detail.reason, /earlier refusal/)
})

test('a goodbye with an unknown reason is still a goodbye', () => {
  const bytes = encodeFrame({ type: 'goodbye', reason: 'limit', trace })
  bytes[3] = 200
  assert.deepEqual(read(bytes), [{ type: 'goodbye', reason: 'unknown', trace }])
})

test('a digest with invalid or excess values is shortened, and other nodes accept it', async (t) => {
  const odd = {
    ...digest,
    topics: ['fine', '', 'two\nlines', 't'.repeat(129)],
    addresses: ['dns/no'],
    links: ['no', peer],
  }
  assert.deepEqual(decodeDigest(encodeDigest(odd)), { ...digest, topics: ['fine'], addresses: [], links: [peer] })
  const huge = fc.array(fc.string({ unit: 'binary', maxLength: 200 }), { maxLength: 90 })
  await forAll({ t, numRuns: 200 }, [digestArbitrary, huge, huge], (sound, topics, addresses) => {
    const bytes = encodeDigest({ ...sound, topics, addresses: addresses.map((text) => `/${text}`) })
    assert(bytes.length <= limits.frameBytes)
    assert.equal(decodeDigest(bytes).sequence, sound.sequence)
  })
  const full = { ...digest, topics: Array.from({ length: 64 }, () => '漢'.repeat(128)), links: Array(64).fill(peer) }
  assert(decodeDigest(encodeDigest(full)).topics.length > 8)
})
