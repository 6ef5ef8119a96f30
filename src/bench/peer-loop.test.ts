import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { leakCheck } from '../testing/leak-check.ts'
import { publish } from './peer-loop.js'

leakCheck()

/** Milliseconds between the time that a message carries and the time at which it was said. */
function lateness(data: Uint8Array): number {
  const stamped = new DataView(data.buffer, data.byteOffset).getBigUint64(0)
  return Number(process.hrtime.bigint() - stamped) / 1e6
}

test('a publisher that is late says when its messages were due, and makes up for it', async () => {
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
  // The second was due after 10 ms and said after 200.
  assert.ok((late[1] ?? 0) > 150, `${late}`)
  // Whoever does not make up for what it lost takes 490 ms at least.
  assert.ok(tookMs >= 295 && tookMs < 490, `took ${tookMs} ms`)
})

test('no message carries a time that is yet to come', async () => {
  const late: number[] = []
  await publish({ publish: async (data: Uint8Array) => late.push(lateness(data)) }, 64, 300, 60)
  assert.ok(
    late.every((ms) => ms >= 0),
    `${late}`,
  )
})
