import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readCredential } from '../../kit/credentials/credential-token.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { VirtualClock } from '../../testing/sim/virtual-clock.ts'
import { createSecret } from './mesh-secret.ts'
import type { TrustSettings } from './trust-files.ts'
import { type Holder, trustSource } from './trust-source.ts'

leakCheck()

const node: Holder = { peer: 'p', meshes: ['a'], role: 'compute' }
const bridge: Holder = { peer: 'b', meshes: ['a', 'b'], role: 'bridge' }
/** What a node with these settings reads at the begin of the clock. */
const readTrust = (settings: TrustSettings, holder: Holder) => trustSource(settings, holder, new VirtualClock()).read()

test('one secret: nodes trust each other, each signs for itself', async () => {
  const secret = createSecret()
  const [one, other] = await Promise.all([readTrust({ secret }, node), readTrust({ secret }, bridge)])
  assert.deepEqual([one.own.length, other.own.length], [1, 2])
  const read = await Promise.all(other.own.map((token) => readCredential(token, one.authorities)))
  // The other mesh of the bridge has an authority of its own, of which this node knows nothing.
  assert.deepEqual(
    read.map((one) => ('credential' in one ? [one.credential.mesh, one.credential.roles] : one.flaw)),
    [['a', ['bridge']], 'unknown-authority'],
  )
})

test('two secrets while one is exchanged: both count, the first signs', async () => {
  const [old, young] = [createSecret(), createSecret()]
  const changed = await readTrust({ secret: `${young}\n${old}` }, node)
  const before = await readTrust({ secret: old }, node)
  const after = await readTrust({ secret: young }, node)
  const isRead = async (token = '', authorities = before.authorities) =>
    'credential' in (await readCredential(token, authorities))
  assert.equal(await isRead(before.own[0], changed.authorities), true)
  assert.equal(await isRead(changed.own[0], after.authorities), true)
  assert.equal(await isRead(changed.own[0], before.authorities), false)
})

test('a node that signs for itself: the same credential of a day at each reading, another one after half of it', async () => {
  const clock = new VirtualClock()
  const { read } = trustSource({ secret: createSecret() }, { peer: 'p', meshes: ['a'], role: 'seed' }, clock)
  const first = await read()
  const token = await readCredential(first.own[0] ?? '', first.authorities)
  assert.equal('credential' in token && token.credential.expiresMs - clock.wall(), 24 * 3_600_000)
  clock.advance(12 * 3_600_000 - 1)
  assert.deepEqual((await read()).own, first.own)
  clock.advance(1)
  assert.notDeepEqual((await read()).own, first.own)
})
