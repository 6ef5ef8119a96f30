import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProxyTracerProvider, trace } from '@opentelemetry/api'
import { leakCheck } from '../testing/leak-check.ts'
import { describeApiMismatch, findApiMismatch } from './api-version.ts'

leakCheck()

/** A provider of another copy of the API, whose classes differ from ours. */
const foreignProvider = { getTracer: () => trace.getTracer('other') }

/** Runs `run` with `provider` registered by an API of this version. */
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

test('a provider registered through an older API: the mesh cannot read it, and the description says so', () => {
  const mismatch = withRegistry('1.9.1', foreignProvider, () => findApiMismatch())
  assert.equal(mismatch?.isReadable, false)
  assert.match(describeApiMismatch(mismatch), /registered 1\.9\.1, the mesh uses 1\.10\.\d+; messages .* no trace/)
})

test('a provider registered through a newer API: the mesh reads it, and reports the two versions', () => {
  const mismatch = withRegistry('1.99.0', foreignProvider, () => findApiMismatch())
  assert.equal(mismatch?.isReadable, true)
  assert.doesNotMatch(describeApiMismatch(mismatch), /no trace/)
})

test('two copies of one version, a single copy and an empty registry: no mismatch', () => {
  const cases = [
    ['1.10.0', foreignProvider],
    ['1.9.1', new ProxyTracerProvider()],
    ['1.9.1', undefined],
  ] as const
  for (const [version, provider] of cases) {
    const mismatch = withRegistry(version, provider, () => findApiMismatch(undefined, '1.10.0'))
    assert.equal(mismatch, undefined, version)
  }
})
