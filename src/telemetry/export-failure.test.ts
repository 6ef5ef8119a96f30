import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { createRedactor, failureDescriber } from './export-failure.ts'

leakCheck()

const endpoint = 'https://collector.example.org:4317'

test('a failure text that quotes a header value: the value is redacted, with and without its scheme', () => {
  const env = { OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20s3cr3t-t0ken,x-org=ab' }
  const describe = failureDescriber(endpoint, env)
  const description = describe(new Error('value "Bearer s3cr3t-t0ken": token s3cr3t-t0ken of org ab is unavailable'))
  assert.equal(description, 'value "[redacted]": token [redacted] of org [redacted] is unavailable')
})

test('a failure text without secrets: becomes one line of bounded length', () => {
  const redact = createRedactor([])
  assert.equal(redact('14 UNAVAILABLE:\nconnect ECONNREFUSED'), '14 UNAVAILABLE: connect ECONNREFUSED')
  assert.equal(redact('x'.repeat(1_000)).length, 301)
})

test('an export through a proxy: the text names the proxy, without its credentials', () => {
  const env = { https_proxy: 'http://me:hunter2@proxy:3128' }
  const description = failureDescriber(endpoint, env)(new Error('No connection established. Last error: undefined.'))
  assert.equal(description, 'no connection; through the proxy proxy:3128 of https_proxy')
  assert.doesNotMatch(failureDescriber('http://127.0.0.1:4317', env)(new Error('refused')), /proxy/)
})

test('an endpoint with port 4318: the text says that gRPC listens at 4317', () => {
  assert.match(failureDescriber('http://collector:4318', {})(new Error('13 INTERNAL')), /gRPC listens at 4317/)
})
