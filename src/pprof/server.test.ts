import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { Profile } from 'pprof-format'
import { Owner } from '../core/owner.ts'
import { TimerReader } from '../evidence/timers.ts'
import { systemClock } from '../kit/clock.ts'
import { until } from '../processes/waiting.ts'
import { leakCheck } from '../testing/leak-check.ts'
import type { Handles } from './handles.ts'
import { startPprof } from './server.ts'

leakCheck()

const token = 'a-token-of-24-characters'
const retained: object[] = []

function burnTheCpu(): void {
  for (const until = performance.now() + 20; performance.now() < until; );
}

function allocateMemory(): void {
  for (let count = 0; count < 2_000; count++) retained.push({ count, text: `retained ${count}` })
}

function discardMemory(): void {
  let last: object = {}
  for (let count = 0; count < 2_000; count++) last = { count, text: `garbage ${count}`, none: last === undefined }
}

test('a CPU profile: has the busy function and its time', async (t) => {
  const { request } = await startServer(t)
  const busy = setInterval(burnTheCpu, 30)
  t.after(() => clearInterval(busy))
  const { status, profile } = await request('/debug/pprof/profile?seconds=1')
  assert.equal(status, 200)
  assert.deepEqual(typesOf(profile), ['samples count', 'cpu nanoseconds'])
  const [samples = 0, ns = 0] = valuesOf(profile, 'burnTheCpu')
  assert.ok(samples > 20, `${samples} samples`)
  assert.ok(ns > 0.2e9 && ns < 1.5e9, `${ns} ns`)
  assert.deepEqual(valuesOf(profile, '(idle)'), [])
})

test('a heap profile: has the function whose allocations are live', async (t) => {
  const { request } = await startServer(t)
  const busy = setInterval(allocateMemory, 20)
  t.after(() => {
    clearInterval(busy)
    retained.length = 0
  })
  const { status, profile } = await request('/debug/pprof/heap?seconds=1')
  assert.equal(status, 200)
  assert.deepEqual(typesOf(profile), ['inuse_space bytes'])
  const [bytes = 0] = valuesOf(profile, 'allocateMemory')
  assert.ok(bytes > 300_000, `${bytes} bytes`)
})

test('an allocation profile: has the function whose allocations are garbage, which a heap profile lacks', async (t) => {
  const { request } = await startServer(t)
  const busy = setInterval(discardMemory, 20)
  t.after(() => clearInterval(busy))
  const { status, profile } = await request('/debug/pprof/allocs?seconds=1')
  assert.equal(status, 200)
  assert.deepEqual(typesOf(profile), ['alloc_space bytes'])
  const [bytes = 0] = valuesOf(profile, 'discardMemory')
  assert.ok(bytes > 300_000, `${bytes} bytes`)
  const heap = await request('/debug/pprof/heap?seconds=1')
  const [kept = 0] = valuesOf(heap.profile, 'discardMemory')
  assert.ok(kept < bytes / 4, `${kept} of ${bytes} bytes`)
})

test('a second profile of either kind: is refused while one is running', async (t) => {
  const { request, owner } = await startServer(t)
  const first = request('/debug/pprof/profile?seconds=1')
  await untilProfiling(owner)
  const second = await request('/debug/pprof/heap?seconds=1')
  assert.equal(second.status, 409)
  assert.match(second.text, /cpu profile of 1 s is already running; retry/)
  assert.equal((await first).status, 200)
})

test('a request with invalid seconds: is answered with the valid range, and takes no profile', async (t) => {
  const { request, owner } = await startServer(t)
  for (const wrong of ['0', '61', '-1', '1.5', '1e1', 'ten', '', '5&seconds=6']) {
    for (const path of ['profile', 'heap', 'allocs']) {
      const { status, text } = await request(`/debug/pprof/${path}?seconds=${wrong}`)
      assert.equal(status, 400, wrong)
      assert.match(text, /whole number of seconds from 1 to 60/)
    }
  }
  assert.equal((await request('/debug/pprof/profile', { method: 'HEAD' })).status, 405)
  assert.deepEqual(profiles(owner), [])
  const index = await request('/debug/pprof/')
  assert.match(index.text, /\/debug\/pprof\/profile\?[\s\S]*\/debug\/pprof\/heap\?/)
})

test('access: a configured token is required, and without a token only this machine is served', async (t) => {
  await assert.rejects(startServer(t, { listen: '0.0.0.0:0' }), {
    code: 'MESH_CONFIG_INVALID',
    message: /^MESH_PPROF \(--pprof\) .*token/,
  })
  const { request } = await startServer(t, { listen: '0.0.0.0:0', token })
  assert.equal((await request('/debug/pprof/profile?seconds=1')).status, 401)
  const authorization = `Bearer ${token}`
  assert.equal((await request('/debug/pprof/heap?seconds=1', { headers: { authorization } })).status, 200)
  const openServer = await startServer(t)
  const elsewhere = { 'sec-fetch-site': 'cross-site' }
  for (const path of ['/debug/pprof/profile', '/%64ebug/pprof/profile'])
    assert.equal((await openServer.request(`${path}?seconds=1`, { headers: elsewhere })).status, 403)
})

test('a client that disconnects: its profile ends, and the next one runs', async (t) => {
  const { request, owner } = await startServer(t)
  for (const path of ['profile', 'heap']) {
    const leave = new AbortController()
    const leaving = request(`/debug/pprof/${path}?seconds=60`, { signal: leave.signal })
    await untilProfiling(owner)
    leave.abort()
    await assert.rejects(leaving, { name: 'AbortError' })
    await until(() => profiles(owner).length === 0, 30_000, 'the profile ends')
    assert.equal((await request(`/debug/pprof/${path}?seconds=1`)).status, 200)
  }
})

test('closing the owner: does not wait for a running profile', async (t) => {
  const { request, owner, close } = await startServer(t)
  const aborted = assert.rejects(request('/debug/pprof/profile?seconds=60'))
  await untilProfiling(owner)
  const began = performance.now()
  const steps = await owner.close()
  await close()
  assert.ok(performance.now() - began < 500)
  assert.deepEqual(
    steps.map(({ name, error }) => [name, error]),
    [['cpu profile', undefined]],
  )
  await aborted
})

test('handles: planted sockets, timers and owned items show with their counts, and not before', async (t) => {
  const { request, owner } = await startServer(t)
  const read = async () => JSON.parse((await request('/debug/pprof/handles?format=json')).text) as Handles
  // The first request opens the connection that the second one uses.
  await read()
  const clean = await read()
  const sockets = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const socket = createSocket('udp4').bind(0, '127.0.0.1')
      await once(socket, 'listening')
      return socket
    }),
  )
  function forgotten(): void {}
  const timers = Array.from({ length: 200 }, () => setTimeout(forgotten, 123_456).unref())
  const releases = Array.from({ length: 3 }, () => owner.child('part').adopt('cable', () => {}))
  const planted = await read()
  const { text } = await request('/debug/pprof/handles')
  for (const timer of timers) clearTimeout(timer)
  await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))))
  await Promise.all(releases.map((release) => release()))

  const udp = (handles: Handles) => handles.descriptors?.filter(({ kind }) => kind === 'udp').length ?? 0
  assert.equal(planted.pid, process.pid)
  assert.equal(udp(planted) - udp(clean), process.platform === 'linux' ? 50 : 0)
  assert.deepEqual(planted.timers?.groups[0], { duration: 123_456, run: 'forgotten', count: 200, referenced: 0 })
  assert.deepEqual(
    planted.owned.filter(({ name }) => name === 'cable'),
    [{ owner: 'test/part', kind: 'resource', name: 'cable', count: 3 }],
  )
  assert.deepEqual(planted.streams, [stream])
  assert.match(text, /200 +0 +123456 +forgotten\n/)
  assert.match(text, /test\/part +resource +cable +3\n/)
  assert.match(text, /61 s +application +\/chat\/1 +inbound +open +12D3 +c1\n/)
  assert.doesNotMatch(JSON.stringify(clean), /forgotten|cable/)
})

test('a request for handles: of an unknown format is refused, and needs the token', async (t) => {
  const { request } = await startServer(t, { token })
  assert.equal((await request('/debug/pprof/handles')).status, 401)
  const headers = { authorization: `Bearer ${token}` }
  const refused = await request('/debug/pprof/handles?format=xml', { headers })
  assert.deepEqual([refused.status, refused.text], [400, 'format is json, or absent for text\n'])
  assert.match((await request('/debug/pprof/', { headers })).text, /\/debug\/pprof\/handles /)
  const elsewhere = { 'sec-fetch-site': 'cross-site' }
  const openServer = await startServer(t)
  assert.equal((await openServer.request('/debug/pprof/handles', { headers: elsewhere })).status, 403)
})

const stream = {
  id: '1',
  connection: 'c1',
  peer: '12D3',
  protocol: '/chat/1',
  owner: 'application',
  direction: 'inbound',
  status: 'open',
  ageMs: 61_000,
} as const

async function startServer(t: TestContext, options: { readonly listen?: string; readonly token?: string } = {}) {
  const owner = new Owner('test', systemClock)
  const timers = await TimerReader.open()
  const handles = { streams: () => [stream], inventory: () => owner.inventory(), timers }
  const { url, close } = await startPprof({
    listen: '127.0.0.1:0',
    onError: assert.ifError,
    owner,
    handles,
    process: { mesh: 'mesh-a', node: 'node-1', peer: 'p', version: '1.0.0', pid: 1 },
    ...options,
  })
  let closed: Promise<void> | undefined
  const closeOnce = () => {
    closed ??= close()
    return closed
  }
  t.after(closeOnce)
  const request = async (path: string, init: RequestInit = {}) => {
    const answer = await fetch(url + path, init)
    const body = Buffer.from(await answer.arrayBuffer())
    const isProfile = answer.headers.get('content-type') === 'application/octet-stream'
    const text = isProfile ? '' : body.toString()
    return { status: answer.status, text, profile: () => Profile.decode(gunzipSync(body)) }
  }
  return { request, owner, close: closeOnce }
}

const profiles = (owner: Owner) => owner.inventory().resources.filter(({ name }) => name.endsWith(' profile'))
const untilProfiling = (owner: Owner) => until(() => profiles(owner).length > 0, 30_000, 'a profile begins')

function typesOf(profile: () => Profile): string[] {
  const { sampleType, stringTable } = profile()
  return sampleType.map(({ type, unit }) => `${stringTable.strings[Number(type)]} ${stringTable.strings[Number(unit)]}`)
}

/** Sums up each value over all stacks with the function, like a pprof reader. */
function valuesOf(profile: () => Profile, name: string): number[] {
  const { sample, location, function: functions, stringTable } = profile()
  const named = functions.filter((one) => stringTable.strings[Number(one.name)] === name).map(({ id }) => id)
  const locations = location.filter(({ line }) => line.some(({ functionId }) => named.includes(functionId)))
  const ids = locations.map(({ id }) => id)
  return sample
    .filter(({ locationId }) => locationId.some((id) => ids.includes(id)))
    .reduce<number[]>((sum, { value }) => value.map((one, index) => (sum[index] ?? 0) + Number(one)), [])
}
