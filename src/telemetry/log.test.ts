import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { context as contexts, ROOT_CONTEXT, TraceFlags, trace } from '@opentelemetry/api'
import { StackContextManager } from '@opentelemetry/sdk-trace'
import { emitSpan } from '../catalogue/span-effect.ts'
import { emitPeerStoreSwept } from '../core/spans/peer-store.ts'
import type { TraceRef } from '../core/trace.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { logSpan, silentLogger } from './log.ts'
import { createLogger, logOutput } from './logger.ts'

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

test('a sweep of the peer store: info if it removed something, else trace', () => {
  const levelOf = (removed: number, errors: number) => {
    const levels: string[] = []
    const write = (level: string) => () => void levels.push(level)
    const logger = { ...silentLogger, isLevelEnabled: () => true, trace: write('trace'), info: write('info') }
    const tally = { before: 9, after: 9 - removed, judged: 9, removed, probed: 0, compacted: 0, errors, firstError: '' }
    logSpan(logger, emitPeerStoreSwept('all', tally, 0, 5), ids)
    return levels.join()
  }
  assert.deepEqual([levelOf(0, 0), levelOf(2, 0), levelOf(0, 1)], ['trace', 'info', 'info'])
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

const failing = (code: string) => {
  throw Object.assign(new Error(code), { code })
}

test('a line written in part: is finished before the next line', () => {
  let room = 3
  let out = ''
  const output = logOutput({
    write: (_, bytes) => {
      if (room === 0) failing('EAGAIN')
      const taken = Math.min(room, bytes.length)
      out += Buffer.from(bytes.subarray(0, taken)).toString()
      room -= taken
      return taken
    },
  })
  output.write('first\n')
  assert.equal(out, 'fir')
  room = 1_000
  output.write('second\n')
  assert.equal(out, 'first\nsecond\n')
})

test('a full pipe: lines are dropped, and their count precedes the next line written', () => {
  let full = true
  const out: string[] = []
  const output = logOutput({
    write: (_, bytes) => {
      if (full) failing('EAGAIN')
      out.push(Buffer.from(bytes).toString())
      return bytes.length
    },
  })
  for (const line of ['a\n', 'b\n', 'c\n']) output.write(line)
  full = false
  output.write('d\n')
  assert.deepEqual(
    out.map((line) => line.replace(/.*"(\d) log lines.*/, '$1')),
    ['a\n', '2\n', 'd\n'],
  )
})

test('a reader that closed the pipe: the process logs on and exits', async () => {
  const program = `
    import { logOutput } from ${JSON.stringify(new URL('./logger.ts', import.meta.url).href)}
    import { pino } from 'pino'
    const logger = pino({}, logOutput())
    process.on('disconnect', () => { for (let i = 0; i < 100; i++) logger.info('x'); process.exit(3) })
  `
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    cwd: import.meta.dirname,
  })
  const exit = once(child, 'exit')
  child.stdout?.destroy()
  child.disconnect()
  assert.equal((await exit)[0], 3)
})
