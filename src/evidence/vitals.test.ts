import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import { measuredClock, VitalsReader } from './vitals.ts'

leakCheck()

test('event-loop delay: the maximum is exact, the 99th percentile within a hundredth, reading resets both', () => {
  const vitals = new VitalsReader()
  const delays = () => {
    const { loopDelayP99, loopDelayMax } = vitals.read()
    return [loopDelayP99, loopDelayMax]
  }
  for (let i = 0; i < 98; i++) vitals.recordTimerDelay(0.4)
  vitals.recordTimerDelay(30)
  vitals.recordTimerDelay(700)
  assert.deepEqual(delays(), [0.0301, 0.7])
  assert.deepEqual(delays(), [0, 0])
  // The percentile never exceeds the maximum.
  vitals.recordTimerDelay(4)
  assert.deepEqual(delays(), [0.004, 0.004])
  vitals.recordTimerDelay(0)
  vitals.recordTimerDelay(60_000)
  assert.deepEqual(delays(), [60, 60])
})

test('a measured clock: reports how late each timer fired, and nothing for a cancelled one', () => {
  const delays: number[] = []
  let skip = 0
  const inner = new VirtualClock()
  const clock = measuredClock({ now: () => inner.now() + skip, wall: () => 0, after: inner.after.bind(inner) }, (ms) =>
    delays.push(ms),
  )
  clock.after(10, () => {})
  const cancel = clock.after(5, () => {})
  cancel()
  skip = 7
  inner.advance(10)
  assert.deepEqual(delays, [7])
})

test('vitals: count a busy loop, a server and a timer', async () => {
  const vitals = new VitalsReader()
  const before = vitals.read()
  const server = createServer().listen(0, '127.0.0.1')
  const timer = setTimeout(() => {}, 60_000)
  await new Promise((resolve) => server.once('listening', resolve))
  // CPU time, not time: on a busy machine the process waits for a processor.
  for (const began = process.cpuUsage().user; process.cpuUsage().user - began < 50_000; );
  vitals.recordTimerDelay(12)
  const after = vitals.read()
  server.close()
  clearTimeout(timer)
  const cpuSeconds = after.cpuSeconds - before.cpuSeconds
  assert.ok(cpuSeconds > 0.02, `${cpuSeconds} s`)
  assert.deepEqual([after.sockets - before.sockets, after.timers - before.timers], [1, 1])
  assert.deepEqual([after.loopDelayP99, after.loopDelayMax], [0.012, 0.012])
  assert.ok(after.memoryBytes > after.heapBytes && after.heapBytes > 1_000_000)
})
