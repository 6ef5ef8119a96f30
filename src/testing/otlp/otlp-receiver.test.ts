import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emitSpan } from '../../catalogue/span-effect.ts'
import { systemClock } from '../../kit/clock.ts'
import { startTelemetry } from '../../telemetry/telemetry.ts'
import { leakCheck } from '../leak-check.ts'
import { resource } from './memory-telemetry.ts'
import { startReceiver } from './otlp-receiver.ts'

leakCheck()

const stalled = emitSpan(
  'mesh.node.stalled',
  { 'mesh.stall.slept_ms': 1, 'mesh.stall.suspended_ms': 2 },
  { parent: null },
)

test('waitFor: resolves with the span, or rejects at its limit', async () => {
  const receiver = await startReceiver()
  const limits = { delayMs: 1 }
  const telemetry = startTelemetry({ clock: systemClock, resource, endpoint: receiver.endpoint, limits })
  await assert.rejects(() => receiver.waitFor(() => true, 20), /no such span within 20 ms; 0 others arrived/)
  const waiting = receiver.waitFor(({ name }) => name === 'mesh.node.stalled', 60_000)
  telemetry.emit(stalled, undefined)
  assert.equal(await waiting, receiver.spans[0])
  assert.equal(await receiver.waitFor(() => true, 0), receiver.spans[0])
  await telemetry.close(1_000)
  await receiver.close()
})

test('a receiver that pauses, stops and restarts: exports fail until then, the span arrives once', async () => {
  const receiver = await startReceiver()
  const limits = { delayMs: 1, backoff: { minMs: 10, maxMs: 20 } }
  const { promise: firstCause, resolve } = Promise.withResolvers<unknown>()
  const telemetry = startTelemetry({
    clock: systemClock,
    resource,
    endpoint: receiver.endpoint,
    limits,
    logger: (_level, _message, fields) => resolve(fields['cause']),
  })
  receiver.pause()
  telemetry.emit(stalled, undefined)
  assert.match(String(await firstCause), /UNAVAILABLE: paused/)
  assert.deepEqual(await telemetry.flush(100), { left: 1 })
  await receiver.stop()
  receiver.resume()
  assert.deepEqual(await telemetry.flush(100), { left: 1 })
  await receiver.restart()
  assert.deepEqual(await telemetry.flush(60_000), { left: 0 })
  assert.equal(receiver.spans.length, 1)
  await telemetry.close(1_000)
  await receiver.close()
})
