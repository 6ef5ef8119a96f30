import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { spansNamed } from '../testing/core/view-fixture.ts'
import { forAll } from '../testing/for-all.ts'
import { leakCheck } from '../testing/leak-check.ts'
import {
  type ExhaustionType,
  exhaustions,
  isExhaustion,
  quietMs,
  type ResourceOperation,
  ResourceWatch,
} from './resource-watch.ts'

leakCheck()

const types = Object.keys(exhaustions) as readonly ExhaustionType[]
const operations: readonly ResourceOperation[] = ['open', 'dial', 'accept']
const watch = () => new ResourceWatch(() => 0.5)

test('out of descriptors: one span at the first failure, one at the recovery', () => {
  const resources = watch()
  const [first, ...rest] = resources.handle({ type: 'failed', errorType: 'EMFILE', operation: 'open' }, 1_000)
  assert.deepEqual([first?.span, first?.parent, rest], ['mesh.resource.exhausted', null, []])
  assert.deepEqual(first?.attributes, {
    'mesh.resource.name': 'descriptors',
    'error.type': 'EMFILE',
    'mesh.resource.operation': 'open',
  })
  assert.deepEqual(resources.handle({ type: 'failed', errorType: 'EMFILE', operation: 'dial' }, 6_000), [])
  assert.equal(resources.deadline(), 6_000 + quietMs)
  assert.deepEqual(resources.handle({ type: 'tick' }, 5_999 + quietMs), [])
  const [over, ...more] = resources.handle({ type: 'tick' }, 6_000 + quietMs)
  assert.deepEqual([over?.span, over?.since, more], ['mesh.resource.recovered', 1_000, []])
  assert.equal(over?.parent?.traceId, first?.ref?.traceId)
  assert.deepEqual(over?.attributes, {
    'mesh.resource.name': 'descriptors',
    'error.type': 'EMFILE',
    'mesh.resource.failures': 2,
    'mesh.resource.operations': ['open', 'dial'],
    'mesh.resource.exhausted_ms': 5_000,
  })
  assert.equal(resources.deadline(), Infinity)
})

test('ordinary failure: not an exhaustion', () => {
  assert.deepEqual(['ECONNREFUSED', 'TimeoutError', 'toString', ''].filter(isExhaustion), [])
  assert.deepEqual(watch().handle({ type: 'tick' }, 60_000), [])
})

test('any failures: each exhaustion is emitted once, recovers once, and counts its failures', async (t) => {
  const failure = fc.record({
    errorType: fc.constantFrom(...types),
    operation: fc.constantFrom(...operations),
    afterMs: fc.nat(2 * quietMs),
  })
  await forAll({ t }, [fc.array(failure, { maxLength: 60 })], (failures) => {
    const resources = watch()
    let now = 0
    const emitted = failures.flatMap(({ errorType, operation, afterMs }) => {
      now += afterMs
      return [
        ...resources.handle({ type: 'tick' }, now),
        ...resources.handle({ type: 'failed', errorType, operation }, now),
      ]
    })
    emitted.push(...resources.handle({ type: 'tick' }, now + quietMs))
    const recovered = spansNamed(emitted, 'mesh.resource.recovered')
    assert.equal(spansNamed(emitted, 'mesh.resource.exhausted').length, recovered.length)
    const failureCount = recovered.reduce((sum, { attributes }) => sum + attributes['mesh.resource.failures'], 0)
    assert.equal(failureCount, failures.length)
    assert.equal(resources.deadline(), Infinity)
  })
})
