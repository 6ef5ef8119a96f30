import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { exitCodes } from '../commands/command.ts'
import { Subprocess } from '../processes/subprocess.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { temporaryDirectory } from '../testing/surroundings.ts'
import { jsonVariable } from './figures-reporter.ts'
import { atLeast, atMost } from './proof.ts'

leakCheck()

const directory = temporaryDirectory({ after })
await writeFile(join(directory, 'package.json'), '{ "type": "module" }')

const urlOf = (file: string) => new URL(file, import.meta.url).href
const holds = `{ what: 'links', want: '3', got: 3, holds: true }`
const fails = `{ what: 'spans lost', want: '0', got: 3, holds: false }`
const notShown = `{ what: 'a guest', want: 'one', got: 'none here', holds: 'not shown' }`

/** Runs a proof whose `run` has this body, and sends SIGINT at its first progress line if asked to. */
async function trial(body: string, { seed = '7', json = false, interrupt = false, reporter = 'figures' } = {}) {
  const file = join(directory, 'trial.e2e.ts')
  const run = `async run({ random, signal, progress }: any) { ${body} }`
  const proof = `{ name: 'trial', about: 'a trial', quick: false, seconds: 1, ${run} }`
  await writeFile(
    file,
    `import { endToEnd } from '${urlOf('./end-to-end.ts')}'\nexport const proof = endToEnd(${proof})`,
  )
  const args = reporter === 'figures' ? [`--test-reporter=${urlOf('./figures-reporter.ts')}`] : ['--test']
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined, SEED: seed, [jsonVariable]: json ? '1' : '' }
  const lines: string[] = []
  const child = new Subprocess({
    name: 'trial',
    command: [process.execPath, ...args, file],
    env,
    onLine: (line) => lines.push(line),
    onErrorLine: (line) => interrupt && line.includes('trial: waiting') && child.signal('SIGINT'),
  })
  const { code, output } = await child.exited
  return { code, out: `${lines.join('\n')}\n`, err: output }
}

const answer = (...checks: string[]) => `return { figures: {}, checks: [${checks.join(', ')}] }`

test('all checks hold: each on a line, then the figures, without JSON, exit 0', async () => {
  const { code, out } = await trial(`return { figures: { links: 3, cpu: { ms: [1, 2] } }, checks: [${holds}] }`)
  assert.equal(code, exitCodes.ok)
  assert.match(out, /^trial: a trial\n {2}ok {2}links: 3 \(want 3\)\n {2}links: 3\n {2}cpu:\n {4}ms: 1, 2\ncommit /)
  assert.match(out, /\ntrial holds after \d+\.\d s \(seed 7\)\n/)
  assert.doesNotMatch(out, /[{}]/)
})

test('a failed check beside others: NOT with what it wants and got, the others shown, exit 1', async () => {
  const { code, out } = await trial(answer(fails, holds, notShown))
  assert.equal(code, exitCodes.failure)
  assert.match(out, /NOT spans lost: 3 \(want 0\)\n {2}ok {2}links: 3 \(want 3\)\n {2}\? {3}a guest: none here/)
  assert.match(out, /\ntrial fails after /)
  assert.equal((await trial(answer(fails, holds), { reporter: 'spec' })).code, 1)
})

test('a check that is not shown, or no check: exit 3 of the reporter, a skipped test for node --test', async () => {
  const { code, out } = await trial(answer(holds, notShown))
  assert.equal(code, exitCodes.inconclusive)
  assert.match(out, /\n {2}\? {3}a guest: none here \(want one\)[\s\S]*\ntrial not shown after /)
  assert.equal((await trial(answer())).code, exitCodes.inconclusive)
  const spec = await trial(answer(holds, notShown), { reporter: 'spec' })
  assert.equal(spec.code, 0)
  assert.match(spec.out, /skipped 1/)
})

test('a proof that throws: a failed check with the message, and the error among the figures', async () => {
  const { code, out } = await trial(`throw new Error('no receiver')`, { json: true })
  const { verdict, checks, figures } = JSON.parse(out)
  assert.deepEqual([code, verdict, checks[0].got, checks[0].holds], [exitCodes.failure, 'fails', 'no receiver', false])
  assert.match(figures.error, /^Error: no receiver\n/)
})

test('one seed: the same random numbers; another seed: others', async () => {
  const body = `return { figures: { number: random() }, checks: [${holds}] }`
  const answers = []
  for (const seed of ['7', '7', '8']) answers.push(JSON.parse((await trial(body, { seed, json: true })).out))
  const [one, same, other] = answers
  assert.deepEqual([one.seed, one.figures, other.seed], [7, same.figures, 8])
  assert.notDeepEqual(one.figures, other.figures)
})

test('SIGINT: the signal of the proof aborts, exit 130', async () => {
  const waits = `progress('waiting'); await new Promise((_, reject) => {
    const timer = setTimeout(reject, 60_000)
    signal.addEventListener('abort', () => { clearTimeout(timer); reject(signal.reason) })
  })`
  const unwound = await trial(waits, { interrupt: true })
  assert.deepEqual([unwound.code, unwound.err.includes('SIGINT: ending what was started')], [130, true])
  assert.match(unwound.out, /NOT the proof ran to its end: interrupted/)
})

test('SIGINT to a proof that ignores its signal: exit 130 within seconds', async () => {
  const { code } = await trial(`progress('waiting'); await new Promise((done) => setTimeout(done, 60_000))`, {
    interrupt: true,
  })
  assert.equal(code, 130)
})

test('a value at a bound holds, beyond it not; NaN holds for no bound', () => {
  assert.deepEqual(
    [atMost('a', 5, 5).holds, atMost('a', 5, 5.1).holds, atMost('a', 5, Number.NaN).holds],
    [true, false, false],
  )
  assert.deepEqual(
    [atLeast('a', 5, 5).holds, atLeast('a', 5, 4.9).holds, atLeast('a', 5, Number.NaN).holds],
    [true, false, false],
  )
})
