import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace'
import { leakCheck } from '../testing/leak-check.ts'
import { limitsFromEnv } from './exporter.ts'
import { otlpSender } from './otlp-sender.ts'
import type { Outcome } from './outbox.ts'

leakCheck()

test('the variables of OpenTelemetry set delay, batch and bound; nonsense does not', () => {
  const env = { OTEL_BSP_SCHEDULE_DELAY: '200', OTEL_BSP_MAX_QUEUE_SIZE: '50', OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '0' }
  assert.deepEqual(limitsFromEnv(env), { delayMs: 200, spans: 50 })
  assert.deepEqual(limitsFromEnv({ OTEL_BSP_SCHEDULE_DELAY: 'soon', OTEL_BSP_MAX_QUEUE_SIZE: 'Infinity' }), {})
})

const span = {} as ReadableSpan

function answerOf(code: number | 'none' | 'throws'): Promise<{ outcome: Outcome; made: number }> {
  let made = 0
  const makeExporter = (): SpanExporter => {
    made++
    return {
      export: (_batch, done) => {
        if (code === 'throws') throw new Error('cannot be encoded')
        const error = Object.assign(new Error('failed'), code === 'none' ? {} : { code })
        done(code === 0 ? { code: 0 } : { code: 1, error })
      },
      shutdown: () => Promise.resolve(),
    }
  }
  const sender = otlpSender(makeExporter)
  return new Promise((resolve) =>
    sender.send([span], () => sender.send([span], (outcome) => resolve({ outcome, made }))),
  )
}

test('a status of gRPC says whether a batch was refused, or nobody took it, or neither is sure', async () => {
  const outcomes = await Promise.all([0, 3, 7, 12, 16, 1, 4, 14, 2, 8, 13, 'none' as const].map(answerOf))
  assert.deepEqual(
    outcomes.map(({ outcome }) => outcome),
    ['sent', ...Array(4).fill('refused'), ...Array(3).fill('retryable'), ...Array(4).fill('unknown')],
  )
})

test('an exporter that throws is a doubtful answer', async () => {
  assert.equal((await answerOf('throws')).outcome, 'unknown')
})

test('an exporter is kept while it works and replaced once it has failed', async () => {
  assert.equal((await answerOf(0)).made, 1)
  assert.equal((await answerOf(14)).made, 2)
})

test('a missed deadline keeps the exporter, which may still connect; three in a row replace it', async () => {
  let made = 0
  const late = Object.assign(new Error('late'), { code: 4 })
  const answers = [late, late, undefined, late, late, late, undefined]
  const sender = otlpSender(() => {
    made++
    const exporter: SpanExporter = {
      export: (_batch, done) => {
        const error = answers.shift()
        done(error === undefined ? { code: 0 } : { code: 1, error })
      },
      shutdown: () => Promise.resolve(),
    }
    return exporter
  })
  const madeAfter: number[] = []
  while (answers.length > 0) {
    await new Promise<void>((resolve) => sender.send([span], () => resolve()))
    madeAfter.push(made)
  }
  assert.deepEqual(madeAfter, [1, 1, 1, 1, 1, 1, 2])
})
