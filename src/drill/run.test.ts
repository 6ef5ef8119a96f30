import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AlertName, firesWithinMs } from '../catalogue/alerts/alerts.ts'
import { isMeshError } from '../core/errors.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { fakeStack } from '../testing/stack/fake-stack.ts'
import type { DrillResult } from './judge.ts'
import { type DrillOptions, runDrills } from './run.ts'
import type { StackService } from './scenario.ts'

// The pool of `fetch` keeps a connection for some seconds after its last use.
leakCheck({ graceMs: 8_000 })

async function drill(url: string, alerts: readonly AlertName[], options: Partial<DrillOptions> = {}) {
  const reported: DrillResult[] = []
  const { signal } = new AbortController()
  const where = { otlp: 'http://127.0.0.1:1', prometheus: url, alertmanager: url }
  const quiet = { signal, log: () => {}, onResult: (result: DrillResult) => void reported.push(result) }
  const results = await runDrills({ alerts, ...where, timeFactor: 1, atOnce: 2, ...quiet, ...options })
  assert.deepEqual(results, reported, 'each result is reported')
  return results
}

test('a stack that does not answer: MESH_STACK_UNREACHABLE', async () => {
  await assert.rejects(drill('http://127.0.0.1:1', ['MeshNodeSilent']), (error) =>
    isMeshError(error, 'MESH_STACK_UNREACHABLE'),
  )
})

test('an alert without a rule in Prometheus: not shown, and no node starts', async () => {
  await using fake = await fakeStack({ rules: { Other: 0 } })
  const [result] = await drill(fake.url, ['MeshNodeSilent'], { timeFactor: 0.5 })
  assert.deepEqual([result?.verdict, result?.why], ['not shown', 'Prometheus has no rule for it'])
  assert.equal(result?.statedMs, firesWithinMs('MeshNodeSilent', 0.5))
})

test('a rule with another time factor: not shown', async () => {
  await using fake = await fakeStack({ rules: { MeshNodeSilent: 30 } })
  const [result] = await drill(fake.url, ['MeshNodeSilent'], { timeFactor: 0.1 })
  assert.equal(result?.verdict, 'not shown')
  assert.match(result?.why ?? '', /for: 30 s, not 50 s.*--time-factor/)
})

test('a pipeline alert without --stack: not shown, with the reason', async () => {
  await using fake = await fakeStack({ rules: { MeshPipelineDown: 60, MeshCollectorRefusing: 0 } })
  const results = await drill(fake.url, ['MeshPipelineDown', 'MeshCollectorRefusing'])
  assert.equal(results.length, 2)
  for (const { verdict, why } of results) assert.match(`${verdict}: ${why}`, /^not shown: .*not run: .*--stack compose/)
})

test('a pipeline drill stops a service and starts it again, also after a failure', async () => {
  let running = true
  const calls: string[] = []
  const stack = {
    stop: async (service: StackService) => {
      calls.push(`stop ${service}`)
      running = false
    },
    start: async (service: StackService) => {
      calls.push(`start ${service}`)
      running = true
    },
  }
  const labels = { alertname: 'MeshPipelineDown', job: 'mesh-collector' }
  await using fake = await fakeStack({
    rules: { MeshPipelineDown: 60 },
    alerts: () => (running ? [] : [{ labels, state: 'active' }]),
  })
  const [result] = await drill(fake.url, ['MeshPipelineDown'], { stack })
  assert.equal(result?.verdict, 'ok', result?.why)
  assert.deepEqual(calls, ['stop collector', 'start collector', 'start collector'])
  const broken = {
    ...stack,
    stop: async () => {
      running = false
      throw new Error('no such service')
    },
  }
  const [other] = await drill(fake.url, ['MeshPipelineDown'], { stack: broken })
  assert.deepEqual([other?.verdict, other?.why, running], ['not shown', 'no such service', true])
})
