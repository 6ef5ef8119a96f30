import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, type TestContext, test } from 'node:test'
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { leakCheck } from '../testing/leak-check.ts'
import { temporaryDirectory } from '../testing/surroundings.ts'
import { loadIdentity, nextIncarnation } from './identity.ts'

leakCheck()

let directory = ''
let file = ''

beforeEach((t) => {
  directory = temporaryDirectory(t as TestContext)
  file = join(directory, 'node.key')
})

test('no key file: every start has a new identity', async () => {
  const [one, other] = [await loadIdentity(), await loadIdentity()]
  assert.ok(!one.privateKey.equals(other.privateKey))
  assert.deepEqual([one.incarnation, other.incarnation], [1, 1])
})

test('a key file: created once with mode 0600, the incarnation grows with every start', async () => {
  const starts = [await loadIdentity(file), await loadIdentity(file), await loadIdentity(file)]
  const incarnations = starts.map((start) => start.incarnation)
  assert.deepEqual(incarnations, [1, 2, 3])
  for (const start of starts) assert.ok(start.privateKey.equals(starts[0]?.privateKey))
  assert.equal(statSync(file).mode & 0o777, 0o600)
  assert.deepEqual(readdirSync(directory).sort(), ['node.key', 'node.key.incarnation'])
})

test('missing directories of the key file are created with mode 0700', async () => {
  await loadIdentity(join(directory, 'a', 'b', 'node.key'))
  assert.equal(statSync(join(directory, 'a', 'b')).mode & 0o777, 0o700)
})

test('several loads create the same key file at once: all get one key, and no temporary file stays', async () => {
  const starts = await Promise.all(Array.from({ length: 8 }, () => loadIdentity(file)))
  for (const start of starts) assert.ok(start.privateKey.equals(starts[0]?.privateKey))
  assert.deepEqual(readdirSync(directory).sort(), ['node.key', 'node.key.incarnation'])
})

test('a key file that others can read: refused with chmod 600 in the message, and unchanged', async () => {
  await loadIdentity(file)
  for (const mode of [0o640, 0o604, 0o620, 0o644]) {
    chmodSync(file, mode)
    await assert.rejects(loadIdentity(file), { code: 'MESH_IDENTITY_EXPOSED', message: /chmod 600/ })
    assert.equal(statSync(file).mode & 0o777, mode)
  }
})

test('a file without an Ed25519 key: refused and not overwritten', async () => {
  const rsaLike = privateKeyToProtobuf(await generateKeyPair('secp256k1'))
  const complete = privateKeyToProtobuf(await generateKeyPair('Ed25519'))
  for (const bytes of [
    Buffer.from(''),
    Buffer.from('nonsense'),
    complete.subarray(0, 40),
    rsaLike,
    Buffer.alloc(5_000),
  ]) {
    writeFileSync(file, bytes, { mode: 0o600 })
    await assert.rejects(loadIdentity(file), { code: 'MESH_IDENTITY_UNREADABLE' })
    assert.deepEqual(readFileSync(file), Buffer.from(bytes))
  }
})

test('a directory in place of the key file: refused', async () => {
  mkdirSync(file, { mode: 0o700 })
  await assert.rejects(loadIdentity(file), { code: 'MESH_IDENTITY_UNREADABLE', message: /EISDIR/ })
})

test('a lost or broken incarnation file: the next incarnation is above every earlier one', async () => {
  for (let start = 0; start < 5; start++) await loadIdentity(file)
  for (const broken of ['', '-3', '1.5', 'NaN', '0', '99999999999999999999']) {
    writeFileSync(`${file}.incarnation`, broken)
    assert.equal(await nextIncarnation(file, 'existing', 1_800_000_000_000), 1_800_000_000)
    assert.equal(await nextIncarnation(file, 'existing', 0), 1_800_000_001)
  }
  rmSync(`${file}.incarnation`)
  assert.ok((await loadIdentity(file)).incarnation > 1_700_000_000)
})

test('an incarnation file that cannot be written: the start fails', async () => {
  await loadIdentity(file)
  rmSync(`${file}.incarnation`)
  mkdirSync(`${file}.incarnation`)
  await assert.rejects(loadIdentity(file), { code: 'MESH_IDENTITY_COUNTER', message: /writable/ })
  assert.deepEqual(readdirSync(directory).sort(), ['node.key', 'node.key.incarnation'])
})
