import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { leakCheck } from '../testing/leak-check.ts'
import { publish } from './peer-loop.js'

leakCheck()

/** Milliseconds between the time in a message and now. */
function lateness(data: Uint8Array): number {
  const stamped = new DataView(data.buffer, data.byteOffset).getBigUint64(0)
  return Number(process.hrtime.bigint() - stamped) / 1e6
}

test('a late publisher: messages carry the time they were due, and it catches up', async () => {
  const late: number[] = []
  const slow = {
    publish: async (data: Uint8Array) => {
      late.push(lateness(data))
      if (late.length === 1) await sleep(200)
    },
  }
  const startMs = performance.now()
  await publish(slow, 64, 100, 31)
  const tookMs = performance.now() - startMs
  // The second was due after 10 ms and published after 200.
  assert.ok((late[1] ?? 0) > 150, `${late}`)
  // A publisher that does not catch up takes at least 490 ms.
  assert.ok(tookMs >= 295 && tookMs < 490, `took ${tookMs} ms`)
})

test('no message carries a future time', async () => {
  const late: number[] = []
  await publish({ publish: async (data: Uint8Array) => late.push(lateness(data)) }, 64, 300, 60)
  assert.ok(
    late.every((ms) => ms >= 0),
    `${late}`,
  )
})
