import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MeshError } from '../core/errors.ts'
import type { Report } from '../doctor/report/report.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { type Diagnose, DoctorRuns } from './doctor-runs.ts'

leakCheck()

const report = { verdict: 'healthy' } as Report
const period = { fromMs: 1_000_000, toMs: 1_900_000 }
const other = { fromMs: 0, toMs: 1_900_000 }

/** Diagnoses that a test ends, with a clock of its own. */
function startRuns() {
  const started: { readonly end: PromiseWithResolvers<Report>; readonly args: Parameters<Diagnose> }[] = []
  const clock = { ms: 0 }
  const diagnose: Diagnose = (...args) => {
    const end = Promise.withResolvers<Report>()
    args[1].addEventListener('abort', () => end.reject(args[1].reason))
    started.push({ end, args })
    return end.promise
  }
  return { runs: new DoctorRuns(diagnose, () => clock.ms), started, clock }
}

/** Answers at once: mocked timers. */
async function asked(t: { mock: { timers: { tick(ms: number): void } } }, answer: Promise<unknown>) {
  await Promise.resolve()
  t.mock.timers.tick(1_000)
  return await answer
}

test('a diagnosis that takes a while: its progress, then its report, and the same one for whom asks soon after', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
  const { runs, started, clock } = startRuns()
  const first = runs.ask(period)
  started[0]?.args[2]('mesh-a, minute 3 of 15')
  clock.ms = 1_000
  assert.deepEqual(await asked(t, first), { state: 'running', progress: 'mesh-a, minute 3 of 15', tookMs: 1_000 })
  started[0]?.end.resolve(report)
  assert.deepEqual(await runs.ask(period), { state: 'done', report })
  assert.deepEqual(await runs.ask({ ...period, toMs: period.toMs - 4_000 }), { state: 'done', report })
  assert.equal(started.length, 1)
  clock.ms = 12_000
  const again = runs.ask(period)
  assert.equal(started.length, 2)
  started[1]?.end.resolve(report)
  await again
})

test('another period meanwhile: busy, and its turn afterwards', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
  const { runs, started } = startRuns()
  const first = runs.ask(period)
  assert.deepEqual(await runs.ask(other), { state: 'busy' })
  started[0]?.end.resolve(report)
  await first
  const second = runs.ask(other)
  started[1]?.end.resolve(report)
  assert.deepEqual(await second, { state: 'done', report })
})

test('no page asks any more, or it takes too long, or the server closes: it is aborted', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
  const { runs, started, clock } = startRuns()
  const abandoned = runs.ask(period)
  clock.ms = 16_000
  await asked(t, abandoned)
  assert.equal(started[0]?.args[1].aborted, true)
  clock.ms += 100
  await asked(t, runs.ask(period))
  assert.equal(started.length, 2, 'a page that asks again gets a new one')
  started[1]?.end.resolve(report)
  await runs.ask(period)
  for (; clock.ms <= 177_000; clock.ms += 10_000) await asked(t, runs.ask(other))
  assert.match(String(started[2]?.args[1].reason), /longer than 150 s/)
  const last = runs.ask(period)
  runs.close()
  assert.equal(started.at(-1)?.args[1].aborted, true)
  assert.equal(((await last) as { state: string }).state, 'failed')
})

const failures = {
  MESH_TRACES_UNREACHABLE: new MeshError('MESH_TRACES_UNREACHABLE', { url: 'http://store', cause: 'ECONNREFUSED' }),
  MESH_SPANS_ABSENT: new MeshError('MESH_SPANS_ABSENT', { where: 'http://store', found: 'nothing', cure: 'wait' }),
  ERR_WORKER_OUT_OF_MEMORY: Object.assign(new Error('terminated'), { code: 'ERR_WORKER_OUT_OF_MEMORY' }),
  Error: new Error('x is undefined'),
}

test('a diagnosis that fails: what happened in a sentence, and again only if the store may answer later', async () => {
  const texts = await Promise.all(
    Object.values(failures).map(async (error) => {
      const answer = await new DoctorRuns(() => Promise.reject(error)).ask(period)
      assert.ok(answer.state === 'failed')
      assert.equal(answer.trouble.detail, error.message)
      return [answer.trouble.text, answer.trouble.retries]
    }),
  )
  assert.deepEqual(texts, [
    ['The trace store does not answer.', true],
    ['The trace store has no spans of this mesh from that time.', undefined],
    ['The diagnosis needs too much memory: choose a shorter time.', undefined],
    ['The diagnosis failed.', undefined],
  ])
})
