import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { logOutput } from './log-output.ts'

leakCheck()

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
    import { logOutput } from ${JSON.stringify(new URL('./log-output.ts', import.meta.url).href)}
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
