import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace'
import { leakCheck } from '../testing/leak-check.ts'
import { limitsFromEnv } from './exporter.ts'
import { createOtlpSender } from './otlp-sender.ts'
import type { Outcome } from './outbox.ts'

leakCheck()

test('OTEL_BSP_* variables: positive integers set delay, batch and bound, other values are ignored', () => {
  const env = { OTEL_BSP_SCHEDULE_DELAY: '200', OTEL_BSP_MAX_QUEUE_SIZE: '50', OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '0' }
  assert.deepEqual(limitsFromEnv(env), { delayMs: 200, spans: 50 })
  assert.deepEqual(limitsFromEnv({ OTEL_BSP_SCHEDULE_DELAY: 'soon', OTEL_BSP_MAX_QUEUE_SIZE: 'Infinity' }), {})
})

const span = {} as ReadableSpan

function outcomeOf(code: number | 'none' | 'throws'): Promise<{ outcome: Outcome; exporters: number }> {
  let exporters = 0
  const makeExporter = (): SpanExporter => {
    exporters++
    return {
      export: (_batch, done) => {
        if (code === 'throws') throw new Error('cannot be encoded')
        const error = Object.assign(new Error('failed'), code === 'none' ? {} : { code })
        done(code === 0 ? { code: 0 } : { code: 1, error })
      },
      shutdown: () => Promise.resolve(),
    }
  }
  const sender = createOtlpSender(makeExporter)
  return new Promise((resolve) =>
    sender.send([span], () => sender.send([span], (outcome) => resolve({ outcome, exporters }))),
  )
}

test('a gRPC status: decides whether the batch is refused, retryable or of unknown outcome', async () => {
  const outcomes = await Promise.all([0, 3, 7, 12, 16, 1, 4, 14, 2, 8, 13, 'none' as const].map(outcomeOf))
  assert.deepEqual(
    outcomes.map(({ outcome }) => outcome),
    ['sent', ...Array(4).fill('refused'), ...Array(3).fill('retryable'), ...Array(4).fill('unknown')],
  )
})

test('an exporter that throws: the outcome is unknown', async () => {
  assert.equal((await outcomeOf('throws')).outcome, 'unknown')
})

test('an exporter that works is reused; one that failed is replaced', async () => {
  assert.equal((await outcomeOf(0)).exporters, 1)
  assert.equal((await outcomeOf(14)).exporters, 2)
})

test('missed deadlines: one keeps the exporter, which may still connect, three in a row replace it', async () => {
  let exporters = 0
  const timeout = Object.assign(new Error('late'), { code: 4 })
  const answers = [timeout, timeout, undefined, timeout, timeout, timeout, undefined]
  const sender = createOtlpSender(() => {
    exporters++
    const exporter: SpanExporter = {
      export: (_batch, done) => {
        const error = answers.shift()
        done(error === undefined ? { code: 0 } : { code: 1, error })
      },
      shutdown: () => Promise.resolve(),
    }
    return exporter
  })
  const exportersAfter: number[] = []
  while (answers.length > 0) {
    await new Promise<void>((resolve) => sender.send([span], () => resolve()))
    exportersAfter.push(exporters)
  }
  assert.deepEqual(exportersAfter, [1, 1, 1, 1, 1, 1, 2])
})
