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

test('several readings of one watch, the first of them cut: no later one makes the evidence complete', async () => {
  await using temporary = await mkdtempDisposable(join(tmpdir(), 'tracemesh-examine-'))
  const watched = { fold: new EvidenceFold(), complete: true }
  const completes: boolean[] = []
  for (const [name, body] of Object.entries({ cut: `${lineOf(1)}{"resourceSpans":\n`, whole: lineOf(5) })) {
    const file = join(temporary.path, `${name}.jsonl`)
    await writeFile(file, body)
    const period = { fromMs: Number.NEGATIVE_INFINITY, toMs: Number.POSITIVE_INFINITY }
    const { signal } = new AbortController()
    const subject = { url: '', files: [file], mesh: undefined, period, signal, progress: () => {} }
    const alone = await examine(subject)
    const { evidence } = await examine(subject, watched)
    completes.push(alone.evidence.complete, evidence.complete)
  }
  assert.deepEqual(completes, [false, false, true, false])
  assert.equal(watched.fold.spans, 2)
})
