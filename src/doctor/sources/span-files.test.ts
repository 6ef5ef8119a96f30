import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempDisposable, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { isMeshError } from '../../core/errors.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import type { TraceSpan } from '../../traces/trace.ts'
import { readSpanFiles } from './span-files.ts'

leakCheck()

const everything = { fromMs: Number.NEGATIVE_INFINITY, toMs: Number.POSITIVE_INFINITY }

/** A line with the censuses of one process. */
function lineOf(count: number, fromSeq = 1, mesh = 'mesh-a'): string {
  const text = (key: string, stringValue: string) => ({ key, value: { stringValue } })
  const attributes = [text('service.name', mesh), text('service.instance.id', 'i'), text('mesh.node.name', 'n')]
  const spans = Array.from({ length: count }, (_, index) => ({
    traceId: '884ca40c70486240ceb2166da8d3ba2d',
    spanId: 'a9a1c39f7d9744f9',
    name: 'mesh.audit',
    startTimeUnixNano: `17960676${60 + fromSeq + index}000000000`,
    endTimeUnixNano: `17960676${60 + fromSeq + index}000000000`,
    attributes: [{ key: 'mesh.seq', value: { intValue: String(fromSeq + index) } }],
  }))
  return JSON.stringify({ resourceSpans: [{ resource: { attributes }, scopeSpans: [{ scope: {}, spans }] }] })
}

const oldSeconds = Date.now() / 1_000 - 3_600

/** Writes files that nobody has written to for an hour, and reads them. */
async function readingOf(files: Readonly<Record<string, string | Buffer>>, mesh?: string, period = everything) {
  await using temporary = await mkdtempDisposable(join(tmpdir(), 'tracemesh-files-'))
  for (const [name, body] of Object.entries(files)) {
    await writeFile(join(temporary.path, name), body)
    await utimes(join(temporary.path, name), oldSeconds, oldSeconds)
  }
  const spans: TraceSpan[] = []
  const { signal } = new AbortController()
  const options = { period, mesh, add: (span: TraceSpan) => spans.push(span), progress: () => {}, signal }
  const reading = await readSpanFiles([temporary.path], options)
  return { ...reading, seqs: spans.map((span) => span.attributes['mesh.seq']) }
}

test('a directory of rotated files, some compressed: all spans, in the order of time', async () => {
  const { seqs, partial, complete } = await readingOf({
    'spans-2026-11-30T10-00-00.000.jsonl.gz': gzipSync(`${lineOf(2)}\n`),
    'spans-2026-11-30T11-00-00.000.jsonl.zst': zstdCompressSync(`${lineOf(1, 3)}\n`),
    'spans.jsonl': `${lineOf(1, 4)}\r\n\n${lineOf(1, 5)}`,
    'README.txt': 'not spans',
  })
  assert.deepEqual([seqs, partial, complete], [[1, 2, 3, 4, 5], [], true])
})

test('a period and a mesh: the spans of these alone', async () => {
  const files = { 'spans.jsonl': `${lineOf(9)}\n${lineOf(9, 10, 'mesh-b')}\n` }
  const period = { fromMs: 1_796_067_663_000, toMs: 1_796_067_665_000 }
  assert.deepEqual((await readingOf(files, 'mesh-a', period)).seqs, [3, 4])
  assert.deepEqual((await readingOf(files, 'mesh-b')).seqs, [10, 11, 12, 13, 14, 15, 16, 17, 18])
})

test('lines that are cut, foreign, junk or too long: each kind is counted in words, and the rest is read', async () => {
  const { seqs, partial, complete } = await readingOf({
    'spans.jsonl': Buffer.concat([
      Buffer.from(`${lineOf(1)}\n${lineOf(1).slice(0, 200)}\n{"resourceLogs":[]}\nhello\n`),
      Buffer.from(randomBytes(2_000).filter((byte) => byte !== 0x0a)),
      Buffer.from(`\n${'x'.repeat(33 * 1_048_576)}\n${lineOf(1, 2)}\n${lineOf(1, 3).slice(0, 300)}`),
    ]),
  })
  assert.deepEqual([seqs, complete], [[1, 2], false])
  assert.equal(partial.length, 3)
  assert.match(partial[0] ?? '', /^spans\.jsonl: 4 lines are no spans in OTLP JSON \(/)
  assert.match(partial[1] ?? '', /^spans\.jsonl: 1 lines are too long \(34603008 bytes, at most 33554432 are read\)/)
  assert.match(partial[2] ?? '', /^spans\.jsonl: 1 line is cut off at the end \(/)
})

test('a compressed file that is cut: the spans before the cut, and a word', async () => {
  const whole = gzipSync(`${lineOf(1)}\n${randomBytes(50_000).toString('hex')}\n`)
  const { seqs, partial } = await readingOf({ 'spans.jsonl.gz': whole.subarray(0, 30_000) })
  assert.deepEqual(seqs, [1])
  assert.match(partial.join(), /spans\.jsonl\.gz ends early: unexpected end of file/)
})

test('an unreadable span: counted with its reason, the others of its line are read', async () => {
  const odd = lineOf(2).replace('"spanId":"a9a1c39f7d9744f9"', '"spanId":"?"')
  const { seqs, partial } = await readingOf({ 'spans.jsonl': `${odd}\n` })
  assert.deepEqual(seqs, [2])
  assert.match(partial.join(), /1 spans are unreadable \(spanId is "\?", not 16 hex digits\)/)
})

const absent: Readonly<Record<string, string | Buffer>> = {
  'an empty file': '',
  'binary junk': randomBytes(5_000),
  'a foreign file': 'time,level\n1,info\n',
  'spans of another service': lineOf(1).replace('mesh.node.name', 'shop.name'),
}

test('a file without a span of a mesh: an error with its path and a cure', async () => {
  for (const [what, body] of Object.entries(absent)) {
    const error = await readingOf({ 'spans.jsonl': body }).catch((problem: unknown) => problem)
    assert.ok(isMeshError(error, 'MESH_SPANS_ABSENT'), what)
    assert.match(error.message, /no span of a mesh in \S+spans\.jsonl \(\d+ lines, \d spans, .*; name files/, what)
  }
})

test('a mesh or a period that the files lack: an error with what they have', async () => {
  const files = { 'spans.jsonl': `${lineOf(9)}\n${lineOf(1, 10, 'mesh-b')}\nhello\n` }
  const errorOf = async (mesh: string | undefined, period = everything) => {
    const error = await readingOf(files, mesh, period).catch((problem: unknown) => problem)
    assert.ok(isMeshError(error, 'MESH_SPANS_ABSENT'))
    return error.message
  }
  const typo = await errorOf('mesh-x')
  assert.match(
    typo,
    /3 lines, 10 spans, none of mesh-x but of mesh-a, mesh-b; .*1 lines are no spans.*; correct --mesh/,
  )
  const early = await errorOf('mesh-a', { fromMs: Number.NEGATIVE_INFINITY, toMs: 1_796_000_000_000 })
  assert.match(
    early,
    / of mesh-a from 2026-11-30T19:41:01 to 2026-11-30T19:41:09, none from the begin to 2026-11-30T00:53:20/,
  )
  assert.match(early, /; give --from, --to or --before that the files have/)
})

test('a path that is missing, and a directory without spans: an error that names it', async () => {
  const { signal } = new AbortController()
  const options = { period: everything, add: () => {}, progress: () => {}, signal }
  const missing = await readSpanFiles(['/nowhere/spans.jsonl'], options).catch((problem: unknown) => problem)
  assert.ok(isMeshError(missing, 'MESH_SPAN_FILE_UNREADABLE'))
  assert.match(missing.message, /cannot read \/nowhere\/spans\.jsonl \(there is no such file\)/)
  await assert.rejects(readingOf({ 'README.txt': '' }), /has no file \*\.jsonl/)
})

test('a file that is being written: its unfinished last line is no problem', async () => {
  await using temporary = await mkdtempDisposable(join(tmpdir(), 'tracemesh-files-'))
  const file = join(temporary.path, 'spans.jsonl')
  await writeFile(file, `${lineOf(1)}\n${lineOf(1, 2).slice(0, 300)}`)
  const { signal } = new AbortController()
  const { partial } = await readSpanFiles([file], { period: everything, add: () => {}, progress: () => {}, signal })
  assert.deepEqual(partial, [])
})

test('an abort while a file is read: it ends with the reason', async () => {
  await using temporary = await mkdtempDisposable(join(tmpdir(), 'tracemesh-files-'))
  const file = join(temporary.path, 'spans.jsonl')
  await writeFile(file, `${lineOf(1)}\n`.repeat(2_000))
  const aborting = new AbortController()
  const add = () => aborting.abort(new Error('SIGINT'))
  const reading = readSpanFiles([file], { period: everything, add, progress: () => {}, signal: aborting.signal })
  await assert.rejects(reading, /SIGINT|abort/i)
})
