import assert from 'node:assert/strict'
import { test } from 'node:test'
import fastify from 'fastify'
import { leakCheck } from '../testing/leak-check.ts'
import type { DoctorAnswer } from './doctor-answer.ts'
import { type Diagnose, doctorRoute } from './doctor-route.ts'
import { diagnoseStore } from './doctor-thread.ts'

leakCheck()

function startApp(diagnose: Diagnose) {
  const app = fastify()
  doctorRoute(app, diagnose)
  return app
}

test('a period: the doctor gets it in steps of ten seconds, as long as before', async (t) => {
  const periods: unknown[] = []
  const app = startApp((period) => {
    periods.push(period)
    return Promise.reject(new Error('no'))
  })
  t.after(() => app.close())
  const { statusCode } = await app.inject('/api/doctor?from=991000&to=1891000')
  assert.equal(statusCode, 200)
  assert.deepEqual(periods, [{ fromMs: 1_000_000, toMs: 1_900_000 }])
})

test('a period that is missing, empty or unreadable: refused', async (t) => {
  const app = startApp(() => Promise.reject(new Error('not asked')))
  app.setErrorHandler((error, _, reply) => reply.code(400).send(String(error)))
  t.after(() => app.close())
  for (const query of ['', '?from=1', '?from=2&to=1', '?from=a&to=b', '?from=1&from=2&to=9', '?from=1&to=1e300'])
    assert.equal((await app.inject(`/api/doctor${query}`)).statusCode, 400, query)
})

test('a server that closes: its diagnosis ends', async () => {
  const aborted = Promise.withResolvers<void>()
  const app = startApp((_, signal) => {
    signal.addEventListener('abort', () => aborted.resolve())
    return new Promise(() => {})
  })
  void app.inject('/api/doctor?from=1&to=2')
  await app.ready()
  await new Promise((resolve) => setImmediate(resolve))
  await app.close()
  await aborted.promise
})

test('a store that is away: the answer says so', async (t) => {
  const app = startApp(diagnoseStore('http://127.0.0.1:1/'))
  t.after(() => app.close())
  // On a busy machine the doctor takes a while to load.
  const answer = async (): Promise<DoctorAnswer> => (await app.inject('/api/doctor?from=1&to=60000')).json()
  let last = await answer()
  while (last.state === 'running') last = await answer()
  assert.equal(last.state === 'failed' && last.trouble.text, 'The trace store does not answer.')
})
