import assert from 'node:assert/strict'
import { mkdtempDisposable, readFile, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readSecretFile } from '../node/credentials/mesh-secret.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { run } from './program.ts'

leakCheck()

async function secret(...args: readonly string[]) {
  const [out, err]: [string[], string[]] = [[], []]
  const code = await run(['secret', ...args], { out: (text) => out.push(text), err: (text) => err.push(text) })
  return { code, out: out.join(''), err: err.join('') }
}

test('without a file: one line for standard output, another one each time', async () => {
  const [one, other] = [await secret(), await secret()]
  assert.match(one.out, /^[\w-]{43}\n$/)
  assert.notEqual(one.out, other.out)
})

test('a file: of mode 600, as nodes read it, and never overwritten', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'secret-'))
  const file = join(directory.path, 'mesh.secret')
  assert.deepEqual(await secret('--out', file), { code: 0, out: '', err: '' })
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  assert.equal((await readSecretFile(file)).length, 1)
  const before = await readFile(file, 'utf8')
  const again = await secret('--out', file)
  assert.equal(again.code, 2)
  assert.match(again.err, /--out.*EEXIST.*does not exist yet/)
  assert.equal(await readFile(file, 'utf8'), before)
})
