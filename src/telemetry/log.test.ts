import assert from 'node:assert/strict'
import { test } from 'node:test'
import { context as contexts, ROOT_CONTEXT, TraceFlags, trace } from '@opentelemetry/api'
import { StackContextManager } from '@opentelemetry/sdk-trace'
import { emitSpan } from '../catalogue/span-effect.ts'
import type { TraceRef } from '../core/trace.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { logSpan } from './log.ts'
import { createLogger } from './logger.ts'

leakCheck()

const ids = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }
const expired = emitSpan('mesh.member.expired', {
  'mesh.peer.id': 'p',
  'mesh.peer.name': 'x'.repeat(1_000),
  'mesh.peer.role': 'compute',
  'mesh.peer.incarnation': 1,
  'mesh.member.silence_ms': 31_000,
  'mesh.member.window_ms': 30_000,
})

function createLog(
  level: 'debug' | 'error',
  context?: () => TraceRef | undefined,
): { lines: string[]; logger: ReturnType<typeof createLogger> } {
  const lines: string[] = []
  const destination = { write: (line: string) => void lines.push(line) }
  const logger = createLogger({ level, base: { node: 'n1' }, destination, ...(context && { context }) })
  return { lines, logger }
}

test('the log line of a span: has its level, name, attributes and ids', () => {
  const { lines, logger } = createLog('debug')
  logSpan(logger, expired, ids)
  const { time, ...line } = JSON.parse(lines[0] ?? '')
  assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000)
  assert.deepEqual(line, {
    level: 'warn',
    node: 'n1',
    msg: 'mesh.member.expired',
    trace_id: ids.traceId,
    span_id: ids.spanId,
    'mesh.peer.id': 'p',
    'mesh.peer.name': 'x'.repeat(256),
    'mesh.peer.role': 'compute',
    'mesh.peer.incarnation': 1,
    'mesh.member.silence_ms': 31_000,
    'mesh.member.window_ms': 30_000,
  })
})

test('a span below the log level: no line', () => {
  const { lines, logger } = createLog('error')
  logSpan(logger, expired, ids)
  assert.deepEqual(lines, [])
})

test('a line without trace ids: gets those of the window, if there is one; a line with ids retains them', () => {
  const window = { traceId: 'c'.repeat(32), spanId: 'd'.repeat(16) }
  let current: TraceRef | undefined
  const { lines, logger } = createLog('debug', () => current)
  logger.info('before')
  current = window
  logger.error({ err: new Error('no') }, 'after')
  logSpan(logger, expired, ids)
  const fields = lines.map((line) => JSON.parse(line)).map(({ trace_id, span_id }) => [trace_id, span_id])
  assert.deepEqual(fields, [
    [undefined, undefined],
    [window.traceId, window.spanId],
    [ids.traceId, ids.spanId],
  ])
})

test('a line within a span of the application: has the ids of that span', () => {
  const { lines, logger } = createLog('debug', () => undefined)
  contexts.setGlobalContextManager(new StackContextManager().enable())
  try {
    const active = trace.setSpanContext(ROOT_CONTEXT, { ...ids, traceFlags: TraceFlags.SAMPLED })
    contexts.with(active, () => logger.info('within'))
  } finally {
    contexts.disable()
  }
  const { trace_id, span_id } = JSON.parse(lines[0] ?? '')
  assert.deepEqual({ trace_id, span_id }, { trace_id: ids.traceId, span_id: ids.spanId })
})
