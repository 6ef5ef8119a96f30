import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { exitCodes } from '../commands/exit-codes.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { answerOf, readable } from './answer.ts'
import { equals, type Proof, type ProofContext } from './proof.ts'
import { proofNames } from './proofs.ts'

leakCheck()

const main = fileURLToPath(new URL('./main.ts', import.meta.url))
const shown = { progress: () => {}, signal: new AbortController().signal }

function prove(...args: string[]): Promise<{ code: unknown; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], (error, out, err) => resolve({ code: error?.code ?? 0, out, err }))
  })
}

function proofThat(run: (context: ProofContext) => ReturnType<Proof['run']>): Proof {
  return { name: 'trial', about: 'a trial', quick: true, seconds: 1, run }
}

test('every proof is known by the name of its file, and `list` shows it', async () => {
  const { code, out } = await prove('list', '--json')
  assert.equal(code, exitCodes.ok)
  const listed = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Proof)
  assert.deepEqual(
    listed.map(({ name }) => name),
    proofNames(),
  )
  for (const { name, about, quick, seconds } of listed) {
    assert.ok(about !== '' && seconds > 0 && (!quick || seconds < 60), name)
  }
})

test('a name that is none is wrong use, and so is no name at all', async () => {
  const unknown = await prove('no-such-proof')
  assert.deepEqual([unknown.code, unknown.out], [exitCodes.usage, ''])
  assert.match(unknown.err, /there is no proof no-such-proof/)
  assert.equal((await prove()).code, exitCodes.usage)
})

test('what a proof throws is an answer that fails', async () => {
  const answer = await answerOf(
    proofThat(() => Promise.reject(new Error('no receiver'))),
    7,
    shown,
  )
  assert.deepEqual([answer.verdict, answer.seed, answer.checks[0]?.got], ['fails', 7, 'no receiver'])
})

test('the same seed draws the same', async () => {
  const draw = async ({ random }: ProofContext) => ({ figures: { drawn: random() }, checks: [] })
  const [one, same, other] = [7, 7, 8].map((seed) => answerOf(proofThat(draw), seed, shown))
  assert.deepEqual((await one)?.figures, (await same)?.figures)
  assert.notDeepEqual((await one)?.figures, (await other)?.figures)
})

test('people read each check with what was wanted and what was got', async () => {
  const checks = [equals('spans lost', 0, 3)]
  const answer = await answerOf(
    proofThat(async () => ({ figures: {}, checks })),
    7,
    shown,
  )
  assert.match(readable(answer), /NOT spans lost: 3 \(want 0\)\ntrial fails after \d+\.\d s \(seed 7\)/)
})
