import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { killAll, onExit } from './exit.ts'
import { Subprocess } from './subprocess.ts'

leakCheck()

test('processes of which the first has ended: the others are killed, their groups too', async () => {
  const start = () => new Subprocess({ name: 'sleep', command: ['sleep', '60'], ownGroup: true })
  const [ended, group, one] = [start(), start(), start()]
  await ended.stop(10_000, 'SIGKILL')
  killAll([-ended.pid, ended.pid, -group.pid, one.pid])
  const exits = await Promise.all([group, one].map((child) => child.exitWithin(10_000)))
  assert.deepEqual(
    exits.map(({ signal }) => signal),
    ['SIGKILL', 'SIGKILL'],
  )
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
