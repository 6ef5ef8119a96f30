import assert from 'node:assert/strict'
import { closeSync, ftruncateSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type TestContext, test } from 'node:test'
import { status } from '@grpc/grpc-js'
import { leakCheck } from '../testing/leak-check.ts'
import { playedMinute, playedNodes } from '../testing/otlp/lab-spans.ts'
import { seededRandom } from '../testing/random.ts'
import { temporaryDirectory } from '../testing/surroundings.ts'
import { exportBytes, otlpClient } from './otlp-client.ts'
import { Intake, startOtlpServer } from './otlp-server.ts'
import { parseSearch, search, spansOfTrace } from './search.ts'
import { recordsOf } from './span-record.ts'
import { type Export, SpanStore, type SpanStoreOptions } from './span-store.ts'
import { createDecoder } from './wire.ts'

leakCheck()

const decode = createDecoder()
const t0 = 1_790_000_000_000
const never = new AbortController().signal

test('searches: give the same results for packed and fresh spans, and after reopening the store', async (t) => {
  const file = join(temporaryDirectory(t), 'traces.db')
  const { exports, spans } = playLab(10)
  const store = openStore(t, { file })
  for (const one of exports) {
    store.add([one])
    store.seal()
  }
  const before = await answers(store)
  const { oldestMs, newestMs, ...counts } = store.stats()
  assert.equal(counts.spans, spans)
  assert.ok((oldestMs ?? 0) >= t0 && (newestMs ?? 0) <= t0 + 10 * 60_000)
  assert.ok(store.fresh().length < 2_048, 'most are packed')
  store.close()
  const reopened = openStore(t, { file })
  assert.deepEqual(await answers(reopened), before)
  assert.deepEqual([before.windows.length, before.trace.length], [(10 * 18) / 2, 74])
  const senders = reopened.tallies.senders()
  const sent = senders.reduce((sum, sender) => sum + sender.spans, 0)
  assert.deepEqual([reopened.stats().spans, sent], [spans, spans])
  assert.equal(reopened.tallies.names()['mesh.window'], 10 * 18)
  assert.equal(Math.max(...senders.map(({ lastSeq }) => lastSeq)), 10 * 77)
})

test('bounds in number, age and bytes: the oldest spans are evicted first', (t) => {
  const { exports, spans } = playLab(10)
  const few = fillStore(t, { maxSpans: 4_000 }, exports)
  assert.deepEqual(few.chunk(1), [], 'an evicted chunk is not cached')
  assert.ok(few.spans <= 4_000 + 2_048 && few.spans > 2_000, `${few.spans}`)
  assert.equal(few.stats().evicted, spans - few.spans)
  assert.ok((few.stats().oldestMs ?? 0) > t0 + 4 * 60_000)

  let nowMs = t0
  const old = fillStore(t, { now: () => nowMs, maxAgeMs: 1_000 }, exports)
  nowMs += 1_001
  old.seal()
  while (old.evict());
  assert.deepEqual([old.spans, old.stats().oldestMs], [0, undefined])
  assert.equal(old.database.prepare('SELECT count(*) AS left FROM traces').get()?.['left'], 0)

  // 16 MiB are reserved for the journal; the rest is for spans.
  const large = fillStore(t, { maxBytes: 16 * 1_024 * 1_024 + 1_000_000 }, exports)
  assert.ok(large.stats().bytes < 1_000_000 && large.stats().evicted > 0, JSON.stringify(large.stats()))
})

test('a full disk: exports are UNAVAILABLE, none is stored in part, and they succeed once there is room', async (t) => {
  const store = openStore(t, { file: join(temporaryDirectory(t), 'traces.db') })
  const intake = new Intake(store, undefined)
  const server = await startOtlpServer({ address: { host: '127.0.0.1', port: 0 }, ingest: (one) => intake.ingest(one) })
  const client = otlpClient(`http://127.0.0.1:${server.port}`)
  t.after(() => {
    client.close()
    server.close()
    intake.close()
  })
  const { bodies } = playLab(2)
  const pages = Number(store.database.prepare('PRAGMA page_count').get()?.['page_count'])
  store.database.exec(`PRAGMA max_page_count = ${pages + 20}`)
  const codes = []
  for (const body of bodies) codes.push((await client.send(body)).code)
  const acceptedCount = codes.filter((code) => code === status.OK).length
  assert.deepEqual([...new Set(codes)].sort(), [status.OK, status.UNAVAILABLE])
  const accepted = bodies.slice(0, acceptedCount).flatMap((body) => toExport(body).records)
  assert.equal(store.spans, accepted.length)
  store.database.exec('PRAGMA max_page_count = 1000000')
  for (const body of bodies.slice(acceptedCount)) assert.equal((await client.send(body)).code, status.OK)
  assert.equal(store.spans, 2 * 18 * 77)
})

test('a slow sender: old spans expire without the young ones', (t) => {
  const day = 86_400_000
  let nowMs = t0
  const store = openStore(t, { now: () => nowMs, maxAgeMs: day })
  const { exports } = playLab(1)
  const hours = 36
  // A few spans every hour: far fewer in a day than the number that triggers packing.
  for (let hour = 0; hour < hours; hour++, nowMs += 3_600_000) {
    store.add([exports[hour % exports.length] as Export])
    store.seal()
    while (store.evict());
  }
  assert.ok(store.spans >= 24 * 77, `${store.spans} of the last day`)
  assert.ok(store.spans <= 27 * 77, `${store.spans}, no more than a day and a twenty-fourth`)
})

test('long resources and names: count towards packing, and a resource above the bound is refused', (t) => {
  const store = openStore(t)
  const one = (number: number, chars: number) =>
    toExport(
      exportBytes({ 'service.name': 'mesh-a', long: `${number}${'x'.repeat(chars)}` }, [
        { ...ids(number), name: `${number}${'y'.repeat(chars)}`, startMs: t0 },
      ]),
    )
  for (let number = 1; store.fresh().length < number; number++) {
    store.add([one(number, 60_000)])
    if (store.seal()) break
    assert.ok(number < 200, 'packed before there are 2,048 spans')
  }
  const chunks = store.database.prepare('SELECT max(spans) AS most FROM chunks').get()
  assert.ok(Number(chunks?.['most']) < 10, 'five spans with long names and resources fill a chunk')
  assert.ok(Object.keys(store.tallies.names()).every((name) => name.length <= 256))
  const large = one(1_000, 70_000)
  assert.deepEqual([large.records.length, large.refused], [0, 1])
})

test('a duplicate export: does not hide a lost span', (t) => {
  const store = openStore(t)
  const resource = { 'service.name': 'mesh-a', 'service.instance.id': 'i' }
  const numbered = (...numbers: number[]) =>
    toExport(
      exportBytes(
        resource,
        numbers.map((number) => ({ ...ids(number), name: 'a', startMs: t0, attributes: { 'mesh.seq': number } })),
      ),
    )
  store.add([numbered(1, 2, 3)])
  store.add([numbered(1, 2, 3), numbered(6)])
  const [sender] = store.tallies.senders()
  assert.deepEqual([sender?.spans, sender?.lastSeq, sender?.missing], [7, 6, 2])
})

test('a full disk: spans above the maximum age are evicted, which makes room', (t) => {
  const file = join(temporaryDirectory(t), 'traces.db')
  let nowMs = t0
  const store = openStore(t, { file, now: () => nowMs, maxAgeMs: 1_000 })
  const { exports } = playLab(4)
  const fill = () => {
    for (const one of exports) store.add([one])
  }
  fill()
  store.seal()
  nowMs += 1_001
  fill()
  const pages = Number(store.database.prepare('PRAGMA page_count').get()?.['page_count'])
  store.database.exec(`PRAGMA max_page_count = ${pages}`)
  assert.throws(() => store.seal(), { code: 'MESH_STORE_FULL' })
  const before = store.spans
  // The intake evicts and packs when it starts.
  new Intake(store, undefined).close()
  assert.equal(store.spans, before / 2)
  assert.equal(store.fresh().length, 0, 'packed into the freed space')
})

test('a file that is damaged, foreign, of another version or locked: the error has file, cause and remedy', (t) => {
  const path = temporaryDirectory(t)
  const file = (name: string) => join(path, name)
  writeFileSync(file('text'), 'no database at all, but long enough to be looked at as one'.repeat(20))
  const other = new DatabaseSync(file('other'))
  other.exec('CREATE TABLE mine (x)')
  other.close()
  const newer = fillStore(t, { file: file('newer') }, [])
  newer.database.exec('PRAGMA user_version = 99')
  newer.close()
  fillStore(t, { file: file('damaged') }, playLab(10).exports).close()
  const handle = openSync(file('damaged'), 'r+')
  for (let page = 2; page < 40; page++) writeSync(handle, Buffer.alloc(4_096, 0xa5), 0, 4_096, page * 4_096)
  ftruncateSync(handle, 40 * 4_096)
  closeSync(handle)
  openStore(t, { file: file('locked') })
  const refusals = {
    text: /damaged.*another file/,
    other: /another program.*another file/,
    newer: /version 99.*version 2.*another file/,
    damaged: /damaged/,
    locked: /another process has locked it/,
    'no/where/x': /directory/,
  }
  for (const [name, message] of Object.entries(refusals)) {
    assert.throws(
      () => openStore(t, { file: file(name) }),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'MESH_STORE_UNUSABLE', name)
        assert.ok(error.message.includes(file(name)), error.message)
        assert.match(error.message, message)
        return true
      },
    )
  }
})

/** A store in memory by default; closes after the test. */
function openStore(t: TestContext, options: Partial<SpanStoreOptions> = {}): SpanStore {
  const store = new SpanStore({ file: ':memory:', maxSpans: 1e6, maxBytes: 1e9, maxAgeMs: 86_400_000, ...options })
  t.after(() => {
    if (store.database.isOpen) store.close()
  })
  return store
}

function fillStore(t: TestContext, options: Partial<SpanStoreOptions>, exports: readonly Export[]): SpanStore {
  const store = openStore(t, options)
  for (const one of exports) {
    store.add([one])
    store.seal()
    while (store.evict());
  }
  return store
}

/** Exports of the lab's nodes in these minutes. */
function playLab(minutes: number) {
  const random = seededRandom(7)
  const nodes = playedNodes(random)
  const bodies: Buffer[] = []
  for (let minute = 0; minute < minutes; minute++)
    for (const { resource } of nodes)
      bodies.push(exportBytes(resource, playedMinute(nodes, minute, t0 + minute * 60_000, random)))
  const exports = bodies.map(toExport)
  return { bodies, exports, spans: exports.reduce((sum, { records }) => sum + records.length, 0) }
}

function ids(number: number) {
  return { traceId: number.toString(16).padStart(32, '0'), spanId: number.toString(16).padStart(16, '0') }
}

function toExport(body: Buffer): Export {
  return { body, ...recordsOf(decode(body)) }
}

async function answers(store: SpanStore) {
  const times = {
    'query.start_time_min': new Date(t0).toISOString(),
    'query.start_time_max': new Date(t0 + 3_600_000).toISOString(),
  }
  const find = (more: object) => search(store, parseSearch({ ...times, 'query.num_traces': '1000', ...more }), never)
  const windows = await find({ 'query.service_name': 'mesh-a', 'query.operation_name': 'mesh.window' })
  const size = await find({
    'query.operation_name': 'mesh.audit.peers',
    'query.attributes': '{"mesh.registry.size":7,"mesh.node.name":"node-4"}',
  })
  const long = await find({ 'query.duration_min': '1.0005ms', 'query.duration_max': '1.0008ms' })
  assert.ok(long.length > 0 && long.length < size.length + 60, 'the search by duration has results')
  const trace: string[] = []
  for await (const records of spansOfTrace(store, windows.at(-1) ?? '', never))
    trace.push(...records.map(({ text }) => text))
  assert.ok(size.length > 0 && size.length < 10, 'the search by value has results')
  return { windows: windows.sort(), size: size.sort(), long: long.sort(), trace }
}
