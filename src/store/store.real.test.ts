import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { startStoreProcess } from '../testing/cluster/command-process.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { temporaryDirectory } from '../testing/surroundings.ts'
import { TraceReader } from '../traces/reader.ts'
import { exportBytes, otlpClient } from './otlp-client.ts'

leakCheck()

test('a killed store: has every acknowledged span after a restart, and stops with exit code 0', async (t) => {
  const file = join(temporaryDirectory(t), 'traces.db')
  const killed = await startStoreProcess(file)
  const client = otlpClient(killed.otlpUrl)
  let acknowledged = 0
  let batches = 0
  // Kill it while sending, after more spans than it packs at once.
  while (batches < 200) {
    if (batches === 120) killed.process.kill()
    const spans = Array.from({ length: 50 }, (_, index) => ({
      traceId: (batches + 1).toString(16).padStart(32, '0'),
      spanId: (batches * 50 + index + 1).toString(16).padStart(16, '0'),
      name: 'a',
      startMs: Date.now(),
    }))
    batches++
    const { code } = await client.send(exportBytes({ 'service.name': 'mesh-a' }, spans))
    if (code !== 0) break
    acknowledged += 50
  }
  client.close()
  await killed.process.exited
  assert.ok(acknowledged >= 5_000, `${acknowledged} acknowledged`)
  const restarted = await startStoreProcess(file)
  const { spans } = (await (await fetch(`${restarted.queryUrl}/api/stats`)).json()) as { spans: number }
  // The last export may be committed but not acknowledged.
  assert.ok(spans === acknowledged || spans === acknowledged + 50, `${spans} of ${acknowledged}`)
  const reader = new TraceReader(restarted.queryUrl)
  for (let trace = 1; trace <= acknowledged / 50; trace++)
    assert.equal((await reader.trace(trace.toString(16)))?.spans.length, 50, `trace ${trace}`)
  assert.equal(await restarted.process.stop(), 0)
})

test('a store with --for: stops by itself after that time', async () => {
  const store = await startStoreProcess(':memory:', ['--for', '1s'])
  assert.equal(await store.process.exited, 0)
})
