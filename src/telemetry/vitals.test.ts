import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { Lateness } from './lateness.ts'
import { measuredClock } from './measured-clock.ts'
import { VitalsReader } from './vitals.ts'

leakCheck()

test('lateness: the longest is exact, the 99th percentile is its bucket’s edge; both begin anew once taken', () => {
  const lateness = new Lateness()
  for (let i = 0; i < 98; i++) lateness.add(0.4)
  lateness.add(30)
  lateness.add(700)
  assert.deepEqual(lateness.take(), { p99: 35, max: 700 })
  assert.deepEqual(lateness.take(), { p99: 0, max: 0 })
})

test('lateness: the percentile is never above the longest, also beyond the last bucket', () => {
  const lateness = new Lateness()
  lateness.add(4)
  assert.deepEqual(lateness.take(), { p99: 4, max: 4 })
  lateness.add(60_000)
  assert.deepEqual(lateness.take(), { p99: 60_000, max: 60_000 })
})

test('a measured clock says how late each timer fired', () => {
  const late: number[] = []
  let skip = 0
  const inner = new VirtualClock()
  const clock = measuredClock({ now: () => inner.now() + skip, wall: () => 0, after: inner.after.bind(inner) }, (ms) =>
    late.push(ms),
  )
  clock.after(10, () => {})
  const cancel = clock.after(5, () => {})
  cancel()
  skip = 7
  inner.advance(10)
  assert.deepEqual(late, [7])
})

test('a busy loop, a server and a timer show in the vitals', async () => {
  const vitals = new VitalsReader()
  const before = vitals.read()
  const server = createServer().listen(0, '127.0.0.1')
  const timer = setTimeout(() => {}, 60_000)
  await new Promise((resolve) => server.once('listening', resolve))
  for (const until = performance.now() + 50; performance.now() < until; );
  vitals.late(12)
  const after = vitals.read()
  server.close()
  clearTimeout(timer)
  const cpuSeconds = after.cpuSeconds - before.cpuSeconds
  assert.ok(cpuSeconds > 0.02, `${cpuSeconds} s`)
  assert.deepEqual([after.sockets - before.sockets, after.timers - before.timers], [1, 1])
  assert.deepEqual([after.loopDelayP99, after.loopDelayMax], [0.012, 0.012])
  assert.ok(after.memoryBytes > after.heapBytes && after.heapBytes > 1_000_000)
})
