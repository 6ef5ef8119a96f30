import assert from 'node:assert/strict'
import { chmod, mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { isMeshError } from '../../core/errors.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { createSecret, parseSecrets, readSecretFile } from './mesh-secret.ts'

leakCheck()

const refused =
  (part: RegExp, secret = '\0') =>
  (error: unknown) =>
    isMeshError(error, 'MESH_SECRET_UNUSABLE') && part.test(error.message) && !error.message.includes(secret)

test('a new secret: 32 bytes, different each time, several in one text', () => {
  const [one, two] = [createSecret(), createSecret()]
  assert.notEqual(one, two)
  assert.deepEqual(
    parseSecrets(` ${one}\r\n${two}\n`, 'MESH_SECRET').map(({ length }) => length),
    [32, 32],
  )
})

test('a passphrase, a shorter or longer text, other alphabets: refused, and never repeated', () => {
  for (const text of [
    '',
    'correct horse battery staple',
    createSecret().slice(1),
    `${createSecret()}A`,
    'é'.repeat(43),
  ])
    assert.throws(() => parseSecrets(text, 'MESH_SECRET'), refused(/MESH_SECRET/, text === '' ? '\0' : text))
})

test('a file: read if only its owner can; named if not', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'secret-'))
  const file = join(directory.path, 'secret')
  const text = createSecret()
  await assert.rejects(readSecretFile(file), refused(/does not exist/))
  await writeFile(file, `${text}\n`, { mode: 0o600 })
  assert.deepEqual(await readSecretFile(file), parseSecrets(text, ''))
  await chmod(file, 0o640)
  await assert.rejects(readSecretFile(file), refused(/mode 640.*/, text))
  await chmod(file, 0o600)
  await writeFile(file, 'x'.repeat(600))
  await assert.rejects(readSecretFile(file), refused(/600 bytes/))
})
