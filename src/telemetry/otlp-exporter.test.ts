import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { createOtlpSender, createRedactor, failureDescriber } from './otlp-exporter.ts'
import type { Outcome } from './outbox.ts'
import type { ReadableSpan, SpanExporter } from './sdk-types.ts'

leakCheck()

type Answer = 0 | 'throws' | 'no code' | number

/** Sends a batch for each answer (a gRPC status); returns the outcomes, and the number of exporters made by then. */
async function send(...answers: readonly Answer[]): Promise<(readonly [Outcome, exporters: number])[]> {
  let exporters = 0
  let answer: Answer = 0
  const sender = createOtlpSender((): SpanExporter => {
    exporters++
    return {
      export: (_batch, done) => {
        if (answer === 'throws') throw new Error('cannot be encoded')
        const error = Object.assign(new Error('failed'), typeof answer === 'number' && { code: answer })
        done(answer === 0 ? { code: 0 } : { code: 1, error })
      },
      shutdown: () => Promise.resolve(),
    }
  })
  const outcomes: (readonly [Outcome, number])[] = []
  for (answer of answers) {
    const outcome = await new Promise<Outcome>((resolve) => sender.send([{} as ReadableSpan], resolve))
    outcomes.push([outcome, exporters])
  }
  return outcomes
}

test('a gRPC status: decides whether the batch is refused, retryable or of unknown outcome', async () => {
  const codes = { sent: [0], refused: [3, 7, 12, 16], retryable: [1, 4, 14], unknown: [2, 8, 13, 'no code', 'throws'] }
  for (const [expected, answers] of Object.entries(codes))
    for (const answer of answers as Answer[]) assert.equal((await send(answer))[0]?.[0], expected, String(answer))
})

test('an exporter that failed: is replaced; one that missed deadlines, at the third in a row', async () => {
  const exportersAfter = async (...answers: readonly Answer[]) =>
    (await send(...answers)).map(([, exporters]) => exporters)
  assert.deepEqual(await exportersAfter(0, 0), [1, 1])
  assert.deepEqual(await exportersAfter(14, 0), [1, 2])
  // After one missed deadline the channel may still connect.
  assert.deepEqual(await exportersAfter(4, 4, 0, 4, 4, 4, 0), [1, 1, 1, 1, 1, 1, 2])
})

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
