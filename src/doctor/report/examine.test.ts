import assert from 'node:assert/strict'
import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { leakCheck } from '../../testing/leak-check.ts'
import { EvidenceFold } from '../evidence/fold.ts'
import { examine } from './examine.ts'

leakCheck()

/** A line with one span of a node. */
function lineOf(seq: number): string {
  const text = (key: string, stringValue: string) => ({ key, value: { stringValue } })
  const attributes = [text('service.name', 'mesh-a'), text('service.instance.id', 'i'), text('mesh.node.name', 'n')]
  const span = {
    traceId: '884ca40c70486240ceb2166da8d3ba2d',
    spanId: 'a9a1c39f7d9744f9',
    name: 'mesh.audit',
    startTimeUnixNano: `17960676${60 + seq}000000000`,
    endTimeUnixNano: `17960676${60 + seq}000000000`,
    attributes: [{ key: 'mesh.seq', value: { intValue: String(seq) } }],
  }
  return `${JSON.stringify({ resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans: [span] }] }] })}\n`
}

test('a reading after one that missed spans: the evidence stays incomplete, with the reason', async () => {
  await using temporary = await mkdtempDisposable(join(tmpdir(), 'tracemesh-examine-'))
  const file = join(temporary.path, 'spans.jsonl')
  await writeFile(file, lineOf(5))
  const period = { fromMs: Number.NEGATIVE_INFINITY, toMs: Number.POSITIVE_INFINITY }
  const { signal } = new AbortController()
  const subject = { url: '', files: [file], mesh: undefined, period, signal, progress: () => {} }
  assert.equal((await examine(subject)).evidence.complete, true)
  const earlier = { complete: false, partial: ['12:00 was not read'] }
  const { evidence } = await examine(subject, { fold: new EvidenceFold(), earlier, readMs: 0 })
  assert.deepEqual([evidence.complete, evidence.partial], [false, ['12:00 was not read']])
})
