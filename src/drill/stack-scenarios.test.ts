import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { startReceiver } from '../testing/otlp/otlp-receiver.ts'
import { fillQueue, sendNodeSpans } from './stack-scenarios.ts'

leakCheck()

const { signal } = new AbortController()

test('synthetic nodes: one span each, with its mesh and a name that the Collector counts by node', async () => {
  const receiver = await startReceiver()
  await sendNodeSpans(receiver.endpoint, 'drill-x', 2_500, signal)
  const names = receiver.spans.map(({ resource }) => resource['mesh.node.name'])
  assert.equal(new Set(names).size, 2_500)
  assert.equal(names.length, 2_500)
  const [span] = receiver.spans
  assert.deepEqual(
    [span?.name, span?.resource['service.name'], span?.resource['mesh.id']],
    ['mesh.node.stopped', 'drill-x', 'drill-x'],
  )
  receiver.pause()
  await assert.rejects(sendNodeSpans(receiver.endpoint, 'drill-x', 1, signal), /refused/)
  await receiver.close()
})

test('filling the queue: ends when the receiver is full, and rejects after the maximum', async () => {
  const receiver = await startReceiver()
  await assert.rejects(fillQueue(receiver.endpoint, 'drill-x', 6_000, signal), /accepted 6000 spans and still has room/)
  receiver.pause()
  assert.equal(await fillQueue(receiver.endpoint, 'drill-x', 6_000, signal), 0)
  receiver.pause(3)
  await assert.rejects(fillQueue(receiver.endpoint, 'drill-x', 6_000, signal), /the receiver refused spans/)
  await assert.rejects(fillQueue(receiver.endpoint, 'drill-x', 6_000, AbortSignal.abort(new Error('over'))), /over/)
  await receiver.close()
})
