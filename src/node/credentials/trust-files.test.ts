import assert from 'node:assert/strict'
import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { leakCheck } from '../../testing/leak-check.ts'
import { createAuthority } from './authority-files.ts'
import { readTrust } from './trust-files.ts'

leakCheck()

test('the files of an authority: its public key counts, and the node shows its file', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'trust-'))
  const at = (name: string) => join(directory.path, name)
  const authority = await createAuthority(at('ca'), 'a long passphrase')
  await writeFile(at('cert'), 'token-1\ntoken-2\n')
  const settings = { ca: at('ca.pub'), cert: at('cert'), revocations: at('list') }
  const trust = await readTrust(settings, ['a', 'b'])
  assert.deepEqual(
    trust.authorities.map(({ id }) => id),
    [authority.id],
  )
  assert.deepEqual([trust.own, trust.signers, trust.revocations], [['token-1', 'token-2'], [], undefined])
  await writeFile(at('list'), 'signed\n')
  assert.equal((await readTrust(settings, ['a', 'b'])).revocations, 'signed')
  await assert.rejects(readTrust({ ca: at('absent') }, ['a']), { code: 'MESH_AUTHORITY_UNUSABLE' })
  await assert.rejects(readTrust({ ca: at('cert') }, ['a']), { code: 'MESH_AUTHORITY_UNUSABLE' })
  await assert.rejects(readTrust({ cert: at('absent') }, ['a']), { code: 'MESH_CREDENTIAL_UNUSABLE' })
})
