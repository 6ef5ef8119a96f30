import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tell } from '../catalogue/tell.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { createLogger, logTell } from './log.ts'

leakCheck()

const ids = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }
const expired = tell('mesh.member.expired', {
  'mesh.peer.id': 'p',
  'mesh.peer.name': 'x'.repeat(1_000),
  'mesh.peer.incarnation': 1,
  'mesh.member.silence_ms': 31_000,
  'mesh.member.window_ms': 30_000,
})

function lines(level: 'debug' | 'error'): { written: string[]; logger: ReturnType<typeof createLogger> } {
  const written: string[] = []
  const logger = createLogger({ level, base: { node: 'n1' }, destination: { write: (line) => written.push(line) } })
  return { written, logger }
}

test('the line of a span has its level, its name, what it carries, and the ids that open its trace', () => {
  const { written, logger } = lines('debug')
  logTell(logger, expired, ids)
  const { time, ...line } = JSON.parse(written[0] ?? '')
  assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000)
  assert.deepEqual(line, {
    level: 'warn',
    node: 'n1',
    msg: 'mesh.member.expired',
    trace_id: ids.traceId,
    span_id: ids.spanId,
    'mesh.peer.id': 'p',
    'mesh.peer.name': 'x'.repeat(256),
    'mesh.peer.incarnation': 1,
    'mesh.member.silence_ms': 31_000,
    'mesh.member.window_ms': 30_000,
  })
})

test('a span below the level leaves no line', () => {
  const { written, logger } = lines('error')
  logTell(logger, expired, ids)
  assert.deepEqual(written, [])
})
