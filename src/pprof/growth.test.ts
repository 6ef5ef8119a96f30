import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Owner } from '../core/owner.ts'
import { systemClock } from '../kit/clock.ts'
import { until } from '../processes/waiting.ts'
import { leakCheck } from '../testing/leak-check.ts'
import type { GrowthAnswer } from './growth-answer.ts'
import { startPprof } from './server.ts'

leakCheck()

const self = { mesh: 'mesh-a', node: 'node-1', peer: '12D3', version: '1.0.0', pid: process.pid }
const leaked: object[] = []
const cache = { entries: [] as object[] }

function leakForEver(): void {
  for (let count = 0; count < 500; count++) leaked.push({ count, text: `leaked ${count}` })
}

/** As much is in use at every moment. */
function replaceCache(): void {
  cache.entries = Array.from({ length: 20_000 }, (_, count) => ({ count, text: `cached ${count}` }))
}

async function startServer(t: TestContext) {
  const owner = new Owner('test', systemClock)
  const handles = { streams: () => [], inventory: () => owner.inventory(), timers: undefined }
  const { url, close } = await startPprof({
    ...{ listen: '127.0.0.1:0', onError: assert.ifError, owner, handles, process: self },
  })
  t.after(close)
  const get = async (query: string) => {
    const answer = await fetch(`${url}/debug/pprof/growth?${query}`)
    const text = await answer.text()
    return { status: answer.status, text, growth: () => JSON.parse(text) as GrowthAnswer }
  }
  return { owner, get }
}

test('a function that leaks beside one that replaces what it holds: the first one grows', async (t) => {
  const { get } = await startServer(t)
  const timers = [setInterval(leakForEver, 20), setInterval(replaceCache, 100)]
  t.after(() => {
    for (const timer of timers) clearInterval(timer)
    leaked.length = 0
    cache.entries = []
  })
  const { status, growth } = await get('seconds=2&sites=3')
  assert.equal(status, 200)
  const { sites, process: found, seconds, total } = growth()
  assert.deepEqual([found, seconds, sites.length], [self, 2, 3])
  const [first] = sites
  assert.equal(first?.name, 'leakForEver', JSON.stringify(sites))
  assert.equal(first?.file, import.meta.filename)
  assert.ok(first.end > 1.4 * first.middle && first.middle > 100_000, JSON.stringify(first))
  assert.ok(total.end >= first.end)
})

test('counts: objects by constructor in the middle and at the end', async (t) => {
  const { get } = await startServer(t)
  const maps: object[] = []
  const timer = setInterval(() => maps.push(new Map([[maps.length, 1]])), 5)
  t.after(() => clearInterval(timer))
  const { counts = [] } = (await get('seconds=2&counts=true')).growth()
  const map = counts.find(({ name }) => name === 'Map')
  assert.ok(map !== undefined && map.end > map.middle, JSON.stringify(counts))
})

test('a second probe, and a profile during one: 409, and the first one goes on', async (t) => {
  const { get, owner } = await startServer(t)
  const first = get('seconds=2')
  await until(() => owner.inventory().resources.some(({ name }) => name === 'growth profile'), 30_000, 'the first')
  const second = await get('seconds=2')
  assert.equal(second.status, 409)
  assert.match(second.text, /heap profile of 2 s is already running; retry/)
  assert.equal((await first).status, 200)
})

test('a node that stops: the probe ends with it', async (t) => {
  const { get, owner } = await startServer(t)
  const probe = get('seconds=60')
  await until(() => owner.inventory().resources.some(({ name }) => name === 'growth profile'), 30_000, 'the probe')
  await owner.close()
  const { status, text } = await probe
  assert.deepEqual([status, text], [503, 'the node stops\n'])
})

test('a query beyond the bounds: refused, and nothing is recorded', async (t) => {
  const { get, owner } = await startServer(t)
  for (const query of [
    'seconds=1',
    'seconds=61',
    'seconds=ten',
    'seconds=5&seconds=6',
    'sites=0',
    'sites=51',
    'counts=1',
  ])
    assert.equal((await get(query)).status, 400, query)
  assert.deepEqual(owner.inventory().resources, [])
})
