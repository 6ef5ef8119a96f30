import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { SpanEffect } from '../catalogue/span-effect.ts'
import { Owner } from '../core/owner.ts'
import { newTrace } from '../core/trace.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { seededRandom } from '../testing/random.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import { reserveProfiler } from './heap-sampling.ts'
import type { HeapSite } from './heap-sites.ts'
import { HeapWatch, heapWatchMs } from './heap-watch.ts'

leakCheck()

const sites = Array.from(
  { length: 9 },
  (_, i): HeapSite => ({ name: `f${i}`, file: '/a.ts', line: i, bytes: 1_000 - i, share: 0.12345 }),
)

function start() {
  const clock = new VirtualClock()
  const owner = new Owner('node', clock)
  const spans: SpanEffect[] = []
  const errors: unknown[] = []
  const recordings: { readonly ms: number; readonly signal: AbortSignal; readonly end: (sites: HeapSite[]) => void }[] =
    []
  const record = (ms: number, signal: AbortSignal) => {
    const { promise, resolve, reject } = Promise.withResolvers<HeapSite[]>()
    signal.addEventListener('abort', () => reject(signal.reason))
    recordings.push({ ms, signal, end: resolve })
    return promise
  }
  const watch = new HeapWatch({
    owner,
    clock,
    record,
    emitSpan: (span) => void spans.push(span),
    onError: (error) => void errors.push(error),
  })
  return { clock, owner, watch, spans, errors, recordings }
}

test('a suspected leak: its five largest sites are children of the suspicion', async () => {
  const { watch, spans, recordings, owner } = start()
  const parent = newTrace(seededRandom(1))
  watch.suspect('leak-suspected', parent)
  assert.deepEqual(
    owner.inventory().resources.map(({ name }) => name),
    ['heap sampling'],
  )
  recordings[0]?.end(sites)
  await turn()
  assert.equal(recordings[0]?.ms, heapWatchMs.recording)
  assert.deepEqual(
    spans.map(({ span, parent }) => [span, parent]),
    Array.from({ length: 5 }, () => ['mesh.heap.site', parent]),
  )
  assert.deepEqual(spans[1]?.attributes, {
    'mesh.heap.trigger': 'leak-suspected',
    'mesh.heap.bytes': 999,
    'mesh.heap.share': 0.123,
    'code.function.name': 'f1',
    'code.file.path': '/a.ts',
    'code.line.number': 1,
  })
  assert.deepEqual(owner.inventory().resources, [])
})

test('suspicions of ten minutes: one recording', async () => {
  const { watch, recordings, clock } = start()
  watch.suspect('leak-suspected')
  watch.suspect('leak-suspected')
  recordings[0]?.end(sites)
  await turn()
  clock.advance(heapWatchMs.pause - 1)
  watch.suspect('heap-floor')
  assert.equal(recordings.length, 1)
  clock.advance(1)
  watch.suspect('heap-floor')
  assert.equal(recordings.length, 2)
  recordings[1]?.end([])
  await turn()
})

test('somebody takes a profile: no recording, no error, and the next suspicion records', async () => {
  const { watch, recordings, errors } = start()
  const release = reserveProfiler('cpu', 60)
  watch.suspect('leak-suspected')
  await turn()
  release()
  assert.deepEqual([recordings.length, errors], [0, []])
  watch.suspect('leak-suspected')
  assert.equal(recordings.length, 1)
  assert.throws(() => reserveProfiler('cpu', 60), { code: 'MESH_PROFILE_RUNNING', message: /heap profile of 15 s/ })
  recordings[0]?.end([])
  await turn()
  reserveProfiler('cpu', 60)()
})

test('closing the owner: ends the recording without an error, and none begins afterwards', async () => {
  const { watch, owner, recordings, errors, spans } = start()
  watch.suspect('leak-suspected')
  const steps = await owner.close()
  assert.deepEqual([recordings[0]?.signal.aborted, steps.map(({ error }) => error)], [true, [undefined]])
  watch.suspect('leak-suspected')
  await turn()
  assert.deepEqual([recordings.length, errors, spans], [1, [], []])
  reserveProfiler('cpu', 60)()
})

test('floors that rise: a recording; those of a clean node: none', async () => {
  const { watch, recordings, clock } = start()
  const note = (externalMb: number) => {
    clock.advance(60_000)
    watch.noteFloor({ heap: 31e6, external: externalMb * 1e6, at: clock.now() })
  }
  for (let minute = 0; minute < 60; minute++) note(10)
  assert.equal(recordings.length, 0)
  for (let minute = 0; minute < 6; minute++) note(10 + minute)
  assert.equal(recordings.length, 1)
  recordings[0]?.end([])
  await turn()
})
