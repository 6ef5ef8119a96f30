import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { createLogger } from './logger.ts'
import { terminalLog } from './terminal-log.ts'

leakCheck()

test('log lines at a terminal: text with time, level, message and fields, no JSON', () => {
  const lines: string[] = []
  const destination = terminalLog({ write: (text) => void lines.push(text.trimEnd()) })
  const logger = createLogger({ level: 'info', base: { node: 'a-1' }, destination })
  logger.info({ otlp: 'http://127.0.0.1:4317', seeds: ['/a', '/b'], trace_id: '1a2b3c4d5e' }, 'listening')
  logger.error({ err: new Error('no route') }, 'a dial failed')
  const [first = '', second = ''] = lines
  assert.match(
    first,
    /^\d\d:\d\d:\d\d\.\d{3} INFO {2}listening node=a-1 otlp=http:\/\/127\.0\.0\.1:4317 seeds=\/a,\/b trace 1a2b3c4d$/,
  )
  assert.match(second, /ERROR a dial failed node=a-1 err=no route$/)
})

test('a line that is no JSON: unchanged', () => {
  const lines: string[] = []
  terminalLog({ write: (text) => void lines.push(text) }).write('plain text\n')
  assert.deepEqual(lines, ['plain text\n'])
})
