import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProxyTracerProvider, trace } from '@opentelemetry/api'
import { leakCheck } from '../testing/leak-check.ts'
import { describeOtherApi, otherApi } from './api-copies.ts'

leakCheck()

/** As another copy of the API registers: its classes are not ours. */
const foreignProvider = { getTracer: () => trace.getTracer('other') }

/** Runs with the tracer provider registered that our copy reads, if it reads any. */
function withRegistry<T>(version: string, provider: unknown, run: () => T): T {
  const globals = globalThis as Record<symbol, unknown>
  const key = Symbol.for('opentelemetry.js.api.1')
  const before = globals[key]
  globals[key] = { version, trace: provider }
  try {
    return run()
  } finally {
    globals[key] = before
  }
}

test('an application that registered through an older API is invisible to the mesh, and that is said', () => {
  const found = withRegistry('1.9.1', foreignProvider, () => otherApi())
  assert.equal(found?.readable, false)
  assert.match(describeOtherApi(found), /registered 1\.9\.1, the mesh uses 1\.10\.\d+; messages .* no trace/)
})

test('one that registered through a newer API is seen, and two versions are said', () => {
  const found = withRegistry('1.99.0', foreignProvider, () => otherApi())
  assert.equal(found?.readable, true)
  assert.doesNotMatch(describeOtherApi(found), /no trace/)
})

test('two copies of one version, one copy, and no registration are no finding', () => {
  const version = '1.10.0'
  assert.equal(
    withRegistry(version, foreignProvider, () => otherApi(undefined, version)),
    undefined,
  )
  assert.equal(
    withRegistry('1.9.1', new ProxyTracerProvider(), () => otherApi()),
    undefined,
  )
  assert.equal(
    withRegistry('1.9.1', undefined, () => otherApi()),
    undefined,
  )
})
