import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { createApp } from '../testing/suite/mesh-app.ts'
import { systemClock } from './clock.ts'
import type { InternalInit } from './init.ts'

leakCheck()

test('goodbyes that take 1.2 s, and a receiver that is away: libp2p.stop() does not wait 2 s more for the flush', async () => {
  let passedMs = 0
  const clock = { ...systemClock, now: () => systemClock.now() + passedMs }
  const init = { telemetry: undefined, otlp: 'http://127.0.0.1:9', clock } as unknown as InternalInit
  const beforeStop = async () => {
    await Promise.resolve()
    passedMs = 1_200
  }
  const { libp2p } = await createApp(init, { services: { slow: () => ({ beforeStop, start() {}, stop() {} }) } })
  await libp2p.start()
  const began = performance.now()
  await libp2p.stop()
  const tookMs = performance.now() - began
  // With 2 s for the flush alone it is 2 s or more.
  assert.ok(tookMs >= 300 && tookMs < 1_700, `${tookMs} ms`)
})
