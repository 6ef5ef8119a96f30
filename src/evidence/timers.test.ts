import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { TimerReader } from './timers.ts'

leakCheck()

test('planted timers: each shows as referenced or not, and none after it is cleared', async () => {
  const reader = await openReader()
  const clean = reader.count()
  const timers = Array.from({ length: 200 }, (_, i) => setTimeout(() => {}, 60_000 + (i % 3)).unref())
  const intervals = Array.from({ length: 5 }, () => setInterval(() => {}, 61_000))
  const planted = reader.count()
  assert.deepEqual([planted.unreferenced - clean.unreferenced, planted.referenced - clean.referenced], [200, 5])
  for (const timer of [...timers, ...intervals]) clearTimeout(timer)
  assert.deepEqual(reader.count(), clean)
})

test('timers of Node itself: are counted', async () => {
  const reader = await openReader()
  const clean = reader.count()
  const signals = Array.from({ length: 20 }, () => AbortSignal.timeout(60_000))
  assert.equal(reader.count().unreferenced - clean.unreferenced, 20)
  assert.equal(signals.length, 20)
})

test('the timers that keep the process alive: are as many as Node lists', async () => {
  const reader = await openReader()
  const timers = [setTimeout(() => {}, 60_000), setTimeout(() => {}, 60_000).unref(), setTimeout(() => {}, 5).unref()]
  const listed = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  assert.equal(reader.count().referenced, listed)
  for (const timer of timers) clearTimeout(timer)
})

test('groups: are by duration and function, the largest first', async () => {
  const reader = await openReader()
  function forgotten(): void {}
  const timers = Array.from({ length: 300 }, () => setTimeout(forgotten, 62_000).unref())
  timers.push(setTimeout(() => void timers.length, 62_000))
  const [first, ...rest] = reader.groups()
  for (const timer of timers) clearTimeout(timer)
  assert.deepEqual(first, { duration: 62_000, run: 'forgotten', count: 300, referenced: 0 })
  const anonymous = rest.find(({ duration }) => duration === 62_000)
  assert.deepEqual(anonymous, { duration: 62_000, run: '() => void timers.length', count: 1, referenced: 1 })
})

test('the lookup: leaves no global variable and no open inspector', async () => {
  const before = Reflect.ownKeys(globalThis)
  await openReader()
  assert.deepEqual(Reflect.ownKeys(globalThis), before)
  assert.equal((await import('node:inspector')).url(), undefined)
})

test('a Node.js that keeps its timers otherwise: there is no reader rather than a wrong count', async () => {
  assert.equal(await TimerReader.open(() => undefined), undefined)
  assert.equal(await TimerReader.open(() => ({})), undefined)
  assert.equal(await TimerReader.open(() => assert.fail('no inspector')), undefined)
})

async function openReader(): Promise<TimerReader> {
  const reader = await TimerReader.open()
  assert.ok(reader !== undefined, 'this Node.js keeps its timers otherwise')
  return reader
}
