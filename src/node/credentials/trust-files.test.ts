import assert from 'node:assert/strict'
import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readCredential } from '../../kit/credentials/credential-token.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { createAuthority } from './authority-files.ts'
import { createSecret } from './mesh-secret.ts'
import { type Holder, readTrust } from './trust-files.ts'

leakCheck()

const node: Holder = { peer: 'p', meshes: ['a'], role: 'compute' }
const bridge: Holder = { peer: 'b', meshes: ['a', 'b'], role: 'bridge' }
const dayMs = 86_400_000

test('one secret: nodes trust each other, each signs for itself for a day and anew after half of it', async () => {
  const secret = createSecret()
  const [one, other] = await Promise.all([readTrust({ secret }, node, dayMs), readTrust({ secret }, bridge, dayMs)])
  assert.deepEqual([one.own.length, other.own.length, one.renewAtMs], [1, 2, 1.5 * dayMs])
  const read = await Promise.all(other.own.map((token) => readCredential(token, one.authorities)))
  // The other mesh of the bridge has an authority of its own, of which this node knows nothing.
  assert.deepEqual(
    read.map((one) => ('credential' in one ? [one.credential.mesh, one.credential.roles] : one.flaw)),
    [['a', ['bridge']], 'unknown-authority'],
  )
})

test('two secrets while one is exchanged: both count, the first signs', async () => {
  const [old, young] = [createSecret(), createSecret()]
  const changed = await readTrust({ secret: `${young}\n${old}` }, node, dayMs)
  const before = await readTrust({ secret: old }, node, dayMs)
  const after = await readTrust({ secret: young }, node, dayMs)
  const isRead = async (token = '', authorities = before.authorities) =>
    'credential' in (await readCredential(token, authorities))
  assert.equal(await isRead(before.own[0], changed.authorities), true)
  assert.equal(await isRead(changed.own[0], after.authorities), true)
  assert.equal(await isRead(changed.own[0], before.authorities), false)
})

test('the files of an authority: its public key counts, and the node shows its file', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'trust-'))
  const at = (name: string) => join(directory.path, name)
  const authority = await createAuthority(at('ca'), 'a long passphrase')
  await writeFile(at('cert'), 'token-1\ntoken-2\n')
  const settings = { ca: at('ca.pub'), cert: at('cert'), revocations: at('list') }
  const trust = await readTrust(settings, bridge, dayMs)
  assert.deepEqual(
    trust.authorities.map(({ id }) => id),
    [authority.id],
  )
  assert.deepEqual([trust.own, trust.renewAtMs, trust.revocations], [['token-1', 'token-2'], Infinity, undefined])
  await writeFile(at('list'), 'signed\n')
  assert.equal((await readTrust(settings, bridge, dayMs)).revocations, 'signed')
  await assert.rejects(readTrust({ ca: at('absent') }, node, dayMs), { code: 'MESH_AUTHORITY_UNUSABLE' })
  await assert.rejects(readTrust({ ca: at('cert') }, node, dayMs), { code: 'MESH_AUTHORITY_UNUSABLE' })
  await assert.rejects(readTrust({ cert: at('absent') }, node, dayMs), { code: 'MESH_CREDENTIAL_UNUSABLE' })
})
