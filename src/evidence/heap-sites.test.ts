import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { leakCheck } from '../testing/leak-check.ts'
import { heapSites, recordHeapSites } from './heap-sites.ts'

leakCheck()

const kept: object[] = []

function keepObjects(): void {
  for (let count = 0; count < 2_000; count++) kept.push({ count, text: `kept ${count}` })
}

function keepBuffers(): void {
  for (let count = 0; count < 300; count++) kept.push(new Uint8Array(2_000))
}

function dropObjects(): void {
  let last: object = {}
  for (let count = 0; count < 20_000; count++) last = { count, none: last === undefined }
}

test('what is kept: the functions that allocated it come first, with their file; what is dropped is not there', async () => {
  const work = setInterval(() => {
    keepObjects()
    keepBuffers()
    dropObjects()
  }, 20)
  const sites = await recordHeapSites(1_000, new AbortController().signal)
  clearInterval(work)
  kept.length = 0
  const names = sites.slice(0, 2).map(({ name }) => name)
  assert.deepEqual(names, ['keepObjects', 'keepBuffers'])
  assert.equal(sites[0]?.file, fileURLToPath(import.meta.url))
  assert.ok((sites[0]?.bytes ?? 0) > 300_000 && (sites[0]?.share ?? 0) > 0.3, JSON.stringify(sites[0]))
  const dropped = sites.find(({ name }) => name === 'dropObjects')?.bytes ?? 0
  assert.ok(dropped < 100_000, `${dropped} B`)
})

test('an aborted recording: rejects, and the next one works', async () => {
  await assert.rejects(recordHeapSites(60_000, AbortSignal.timeout(20)), { name: 'AbortError' })
  assert.ok(Array.isArray(await recordHeapSites(1, new AbortController().signal)))
})

test('an allocation inside V8 or Node: is of the function of a file that calls it, each added up', () => {
  const frame = (functionName: string, url: string, lineNumber = 4) => {
    return { functionName, url, lineNumber, columnNumber: 0, scriptId: url }
  }
  const mine = frame('mine', 'file:///a.ts')
  const stacks = [
    { frames: [frame('map', '', -1), frame('read', 'node:fs'), mine, frame('outer', 'file:///b.ts')], values: [60] },
    { frames: [mine], values: [15] },
    { frames: [frame('', '', -1), frame('run', 'node:internal')], values: [25] },
  ]
  assert.deepEqual(heapSites(stacks), [
    { name: 'mine', file: fileURLToPath('file:///a.ts'), line: 5, bytes: 75, share: 0.75 },
    { name: '(anonymous)', file: '', line: 0, bytes: 25, share: 0.25 },
  ])
  assert.deepEqual(heapSites([]), [])
})
