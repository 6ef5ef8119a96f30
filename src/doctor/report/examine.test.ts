import assert from 'node:assert/strict'
import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Life } from '../../testing/doctor/life.ts'
import { SpanSource } from '../../testing/doctor/span-source.ts'
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

test('a long period with a fault in it, around which the doctor reads again: no span counts twice', async () => {
  const seed = '/dns4/node-3/udp/4001/quic-v1'
  const minuteMs = 60_000
  const beginMs = 1_800_000_000_000
  const ill = new Life('node-3')
    .censuses(5, 6_000, 2)
    .span('mesh.seed.self', 6_010, { 'mesh.seed.address': seed, 'mesh.seed.others': 1 })
    .censuses(6_035, 14_400, 2, [`${seed} self 1 0/10 0`])
  const store = new SpanSource([...ill.spans, ...new Life('node-1').censuses(5, 14_400, 2).spans])
  const { signal } = new AbortController()
  const period = { fromMs: beginMs, toMs: beginMs + 240 * minuteMs }
  const subject = { url: 'http://store', files: [], mesh: undefined, period, signal, progress: () => {} }
  const { evidence, diagnosis, reading } = await examine({ ...subject, fetch: store.fetch })
  assert.deepEqual(
    diagnosis.findings.map(({ disease }) => disease),
    ['self-seed'],
  )
  assert.ok(reading.requests > 33 && evidence.spans > 50, `${reading.requests} requests, ${evidence.spans} spans`)
  assert.equal(evidence.duplicates, 0)
})
