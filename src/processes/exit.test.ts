import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { killAll, onExit } from './exit.ts'

leakCheck()

test('processes of which the first has ended: the others are killed, their groups too', async () => {
  const start = () => spawn('sleep', ['60'], { detached: true, stdio: 'ignore' })
  const [ended, group, one] = [start(), start(), start()]
  const exits = [group, one].map((child) => once(child, 'exit'))
  const first = once(ended, 'exit')
  ended.kill('SIGKILL')
  await first
  killAll([-(ended.pid ?? 0), ended.pid ?? 0, -(group.pid ?? 0), one.pid ?? 0])
  const signals = (await Promise.all(exits)).map(([, signal]) => signal)
  assert.deepEqual(signals, ['SIGKILL', 'SIGKILL'])
})

test('an exit handler that throws: the next one runs; a cancelled one does not', () => {
  const before = process.listeners('exit')
  const calls: string[] = []
  const cancels = ['first', 'cancelled', 'last'].map((name) =>
    onExit(() => {
      calls.push(name)
      if (name === 'first') throw new Error('an exit handler fails')
    }),
  )
  cancels[1]?.()
  for (const handler of process.listeners('exit')) if (!before.includes(handler)) handler.call(process, 0)
  for (const cancel of cancels) cancel()
  assert.deepEqual(calls, ['first', 'last'])
  assert.deepEqual(process.listeners('exit'), before)
})
