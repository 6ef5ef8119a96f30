import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { leakCheck } from '../testing/leak-check.ts'
import { loadIdentity } from './identity.ts'
import { nextIncarnation } from './incarnation.ts'

leakCheck()

let directory = ''
let file = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tracemesh-identity-'))
  file = join(directory, 'node.key')
})
afterEach(() => rmSync(directory, { recursive: true }))

test('without a file every start is another identity', async () => {
  const [one, other] = [await loadIdentity(), await loadIdentity()]
  assert.ok(!one.privateKey.equals(other.privateKey))
  assert.deepEqual([one.incarnation, other.incarnation], [1, 1])
})

test('a key file is made once, is for its owner alone, and every start counts', async () => {
  const starts = [await loadIdentity(file), await loadIdentity(file), await loadIdentity(file)]
  assert.deepEqual(
    starts.map((start) => start.incarnation),
    [1, 2, 3],
  )
  for (const start of starts) assert.ok(start.privateKey.equals(starts[0]?.privateKey))
  assert.equal(statSync(file).mode & 0o777, 0o600)
  assert.deepEqual(readdirSync(directory).sort(), ['node.key', 'node.key.incarnation'])
})

test('directories on the way to the file are made, for their owner alone', async () => {
  await loadIdentity(join(directory, 'a', 'b', 'node.key'))
  assert.equal(statSync(join(directory, 'a', 'b')).mode & 0o777, 0o700)
})

test('of several that make the same file at once all get the one key, and nothing is left beside it', async () => {
  const starts = await Promise.all(Array.from({ length: 8 }, () => loadIdentity(file)))
  for (const start of starts) assert.ok(start.privateKey.equals(starts[0]?.privateKey))
  assert.deepEqual(readdirSync(directory).sort(), ['node.key', 'node.key.incarnation'])
})

test('a key that others can read is refused with its cure, and left as it is', async () => {
  await loadIdentity(file)
  for (const mode of [0o640, 0o604, 0o620, 0o644]) {
    chmodSync(file, mode)
    await assert.rejects(loadIdentity(file), { code: 'MESH_IDENTITY_EXPOSED', message: /chmod 600/ })
    assert.equal(statSync(file).mode & 0o777, mode)
  }
})

test('a file that holds no Ed25519 key is refused and never overwritten', async () => {
  const rsaLike = privateKeyToProtobuf(await generateKeyPair('secp256k1'))
  const whole = privateKeyToProtobuf(await generateKeyPair('Ed25519'))
  for (const bytes of [Buffer.from(''), Buffer.from('nonsense'), whole.subarray(0, 40), rsaLike, Buffer.alloc(5_000)]) {
    writeFileSync(file, bytes, { mode: 0o600 })
    await assert.rejects(loadIdentity(file), { code: 'MESH_IDENTITY_UNREADABLE' })
    assert.deepEqual(readFileSync(file), Buffer.from(bytes))
  }
})

test('a directory in place of the file is refused', async () => {
  mkdirSync(file, { mode: 0o700 })
  await assert.rejects(loadIdentity(file), { code: 'MESH_IDENTITY_UNREADABLE', message: /EISDIR/ })
})

test('a lost or broken count is taken up above every earlier one', async () => {
  for (let start = 0; start < 5; start++) await loadIdentity(file)
  for (const broken of ['', '-3', '1.5', 'NaN', '0', '99999999999999999999']) {
    writeFileSync(`${file}.incarnation`, broken)
    assert.equal(await nextIncarnation(file, 'known', 1_800_000_000_000), 1_800_000_000)
    assert.equal(await nextIncarnation(file, 'known', 0), 1_800_000_001)
  }
  rmSync(`${file}.incarnation`)
  assert.ok((await loadIdentity(file)).incarnation > 1_700_000_000)
})

test('a count that cannot be kept stops the start', async () => {
  await loadIdentity(file)
  rmSync(`${file}.incarnation`)
  mkdirSync(`${file}.incarnation`)
  await assert.rejects(loadIdentity(file), { code: 'MESH_IDENTITY_COUNTER', message: /writable/ })
  assert.deepEqual(readdirSync(directory).sort(), ['node.key', 'node.key.incarnation'])
})
