import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { failureText, redactor } from './export-failure.ts'

leakCheck()

const endpoint = 'https://collector.example.org:4317'

test('what a library or a receiver quotes of a header is redacted, with and without its scheme', () => {
  const env = { OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20s3cr3t-t0ken,x-org=ab' }
  const text = failureText(endpoint, env)
  const said = text(new Error('value "Bearer s3cr3t-t0ken": token s3cr3t-t0ken of org ab is unavailable'))
  assert.equal(said, 'value "[redacted]": token [redacted] of org [redacted] is unavailable')
})

test('a text without secrets is passed on as one line of bounded length', () => {
  const redact = redactor([])
  assert.equal(redact('14 UNAVAILABLE:\nconnect ECONNREFUSED'), '14 UNAVAILABLE: connect ECONNREFUSED')
  assert.equal(redact('x'.repeat(1_000)).length, 301)
})

test('the proxy on the way is named, without its credentials', () => {
  const env = { https_proxy: 'http://me:hunter2@proxy:3128' }
  const said = failureText(endpoint, env)(new Error('No connection established. Last error: undefined.'))
  assert.equal(said, 'no connection; through the proxy proxy:3128 that https_proxy names')
  assert.doesNotMatch(failureText('http://127.0.0.1:4317', env)(new Error('refused')), /proxy/)
})

test('the port of OTLP over HTTP is pointed out', () => {
  assert.match(failureText('http://collector:4318', {})(new Error('13 INTERNAL')), /gRPC listens at 4317/)
})
