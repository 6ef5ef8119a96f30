import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { exitCodes } from '../commands/command.ts'
import { leakCheck } from '../testing/leak-check.ts'
import type { Proof } from './proof.ts'
import { byName, proofNames, quickNames } from './proofs.ts'

leakCheck()

const main = fileURLToPath(new URL('./main.ts', import.meta.url))

function prove(...args: string[]): Promise<{ code: unknown; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], (error, out, err) => resolve({ code: error?.code ?? 0, out, err }))
  })
}

test('`list`: every proof by the name of its file; the texts of the files name the quick ones', async () => {
  const { code, out } = await prove('list', '--json')
  assert.equal(code, exitCodes.ok)
  const proofs = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Proof)
  assert.deepEqual(
    proofs.map(({ name }) => name),
    proofNames(),
  )
  const quick = proofs.filter((proof) => proof.quick)
  assert.deepEqual(
    quick.map(({ name }) => name),
    quickNames(),
  )
  for (const { name, seconds } of quick) assert.ok(seconds < 60, name)
  for (const { name, about, seconds } of proofs) assert.ok(about !== '' && seconds > 0, name)
})

test('a virtual proof: one seed of the environment, the answer as one line of JSON, exit 0', async () => {
  const { code, out, err } = await prove('seed-never-virtual', '--json')
  assert.equal(code, exitCodes.ok, err)
  const { name, verdict, seed, checks } = JSON.parse(out)
  assert.deepEqual(
    [name, verdict, Number.isInteger(seed), out.trim().split('\n').length],
    ['seed-never-virtual', 'holds', true, 1],
  )
  assert.ok(checks.length > 5)
  assert.match(err, /seed-never-virtual: one node/)
})

test('an unknown name, or no name: usage error', async () => {
  const unknown = await prove('no-such-proof')
  assert.deepEqual([unknown.code, unknown.out], [exitCodes.usage, ''])
  assert.match(unknown.err, /unknown proof no-such-proof/)
  assert.equal((await prove()).code, exitCodes.usage)
})

test('two proofs of one name: throws with both files', () => {
  const paths = ['mesh/kill.e2e.ts', 'lab/lab-kill.e2e.ts']
  assert.deepEqual([...byName(paths).keys()], ['kill', 'lab-kill'])
  assert.throws(() => byName([...paths, 'network/kill.e2e.ts']), /mesh\/kill.e2e.ts and network\/kill.e2e.ts/)
})
