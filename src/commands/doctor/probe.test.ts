import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempDisposable, writeFile } from 'node:fs/promises'

import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Owner } from '../../core/owner.ts'
import { systemClock } from '../../kit/clock.ts'
import type { GrowthAnswer } from '../../pprof/growth-answer.ts'
import { startPprof } from '../../pprof/server.ts'
import { mib, ProcessStory } from '../../testing/doctor/process-story.ts'
import { lineOf } from '../../testing/doctor/span-source.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { startReceiver } from '../../testing/otlp/otlp-receiver.ts'
import { readDoctorFlags } from './flags.ts'
import { probeNode } from './probe.ts'
import { startDoctor } from './run.ts'

// The pool of `fetch` keeps a connection for some seconds after its last use.
leakCheck({ graceMs: 8_000 })

const token = 'a-token-of-24-characters'
const self = { mesh: 'mesh-a', node: 'node-3', peer: 'peer-of-node-3', version: '1.0.0', pid: process.pid }
const { signal } = new AbortController()

function ask(url: string, more: { readonly token?: string; readonly signal?: AbortSignal } = {}) {
  return probeNode({ url, token: undefined, seconds: 2, counts: false, signal, ...more })
}

/** The profiles of a node, with its token. */
async function startNode(t: TestContext) {
  const owner = new Owner('test', systemClock)
  const handles = { streams: () => [], inventory: () => owner.inventory(), timers: undefined }
  const { url, close } = await startPprof({
    ...{ listen: '127.0.0.1:0', token, onError: assert.ifError, owner, handles, process: self },
  })
  t.after(close)
  return { url, owner }
}

/** A server that answers every request as a test says. */
async function startServer(t: TestContext, answer: (response: ServerResponse) => void): Promise<string> {
  const server = createServer((_, response) => answer(response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const failed = (reason: RegExp) => (error: unknown) => {
  const { code, message } = error as { code: string; message: string }
  assert.equal(code, 'MESH_PROBE_FAILED')
  assert.match(message, reason)
  assert.doesNotMatch(message, new RegExp(token))
  return true
}

test('a node without a token given, with a wrong one, and with its own', async (t) => {
  const { url } = await startNode(t)
  await assert.rejects(ask(url), failed(/the node requires a token; set MESH_ADMIN_TOKEN, or name a file/))
  await assert.rejects(ask(url, { token: `${token}s` }), failed(/does not accept the token/))
  const { process: found, seconds } = await ask(url, { token })
  assert.deepEqual([found, seconds], [self, 2])
})

test('two probes at once: the second one fails with what runs', async (t) => {
  const { url, owner } = await startNode(t)
  const first = ask(url, { token })
  while (owner.inventory().resources.length === 0) await new Promise((resolve) => setImmediate(resolve))
  await assert.rejects(
    ask(url, { token }),
    failed(/a heap profile of 2 s is already running.*one profile runs at a time/),
  )
  await first
})

test('nobody there, and a node that ends during the probe', async (t) => {
  const free = createServer().listen(0, '127.0.0.1')
  await once(free, 'listening')
  const { port } = free.address() as AddressInfo
  await new Promise((resolve) => free.close(resolve))
  await assert.rejects(ask(`http://127.0.0.1:${port}`), failed(/ECONNREFUSED.*start the node with --pprof/))
  const url = await startServer(t, (response) => response.destroy())
  await assert.rejects(ask(url), failed(/it may have ended/))
})

test('an older node, another server, a redirect, and an answer without end: each in words', async (t) => {
  const answers: readonly (readonly [RegExp, (response: ServerResponse) => void])[] = [
    [/it has no \/debug\/pprof\/growth; .*older/, (response) => response.writeHead(404).end('{}')],
    [/not that of a node/, (response) => response.end('<html>')],
    [/not that of a node/, (response) => response.end(JSON.stringify({ format: 2 }))],
    [/failed: /, (response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()],
    [/answered 503: the node stops/, (response) => response.writeHead(503).end('the node stops\n')],
    [/not that of a node/, (response) => response.write('x'.repeat(400_000))],
  ]
  for (const [reason, answer] of answers)
    await assert.rejects(ask(await startServer(t, answer), { token }), failed(reason))
})

test('an abort during the probe: its reason', async (t) => {
  const aborting = new AbortController()
  const url = await startServer(t, () => aborting.abort(new Error('SIGINT')))
  await assert.rejects(ask(url, { signal: aborting.signal }), /SIGINT/)
})

const answer: GrowthAnswer = {
  format: 1,
  process: self,
  seconds: 30,
  total: { middle: 1_500_000, end: 2_600_000 },
  sites: [
    { name: 'onMessage', file: '/app/src/sessions.ts', line: 41, middle: 800_000, end: 1_600_000 },
    { name: 'decode', file: '/app/src/wire.ts', line: 7, middle: 100_000, end: 300_000 },
    { name: 'refill', file: '/app/src/cache.ts', line: 9, middle: 600_000, end: 600_000 },
  ],
  counts: [
    { name: 'Map', middle: 100, end: 180 },
    { name: 'Set', middle: 9, end: 9 },
  ],
}

/** What the command prints of a process whose heap grows, with a probe of it. */
async function probed(t: TestContext, more: Readonly<Record<string, string>> = {}, found: GrowthAnswer = answer) {
  await using temporary = await mkdtempDisposable(join(tmpdir(), 'tracemesh-probe-'))
  const growing = new ProcessStory('node-3').censuses(20, (s) => ({ 'mesh.memory.heap_floor': (38 + s / 60) * mib }))
  const shiftMs = Date.now() - Math.max(...growing.spans.map(({ startMs }) => startMs))
  const file = join(temporary.path, 'spans.jsonl')
  await writeFile(file, lineOf(growing.spans.map((span) => ({ ...span, startMs: span.startMs + shiftMs }))))
  const probe = await startServer(t, (response) => response.end(JSON.stringify(found)))
  const out: string[] = []
  const err: string[] = []
  const io = { out: (text: string) => out.push(text), err: (text: string) => err.push(text) }
  const { json = '', ...raw } = more
  const flags = readDoctorFlags({ probe, ...raw }, { files: [file], json: json !== '', watch: false })
  const doctor = await startDoctor(flags, io)
  await doctor.stopRequest
  return { code: await doctor.stop('done', 1_000), text: out.join(''), err: err.join('') }
}

test('a heap that grows, with a probe: the finding names the function, and the report what else grew', async (t) => {
  const { code, text } = await probed(t)
  assert.equal(code, 1)
  assert.match(text, /owner +.* of onMessage at node-3 of mesh-a/)
  assert.match(text, /; 80 % of what grew during the probe was allocated in onMessage at \/app\/src\/sessions\.ts:41/)
  assert.match(text, /proof +.*\n +mesh\.audit .*\n +mesh\.doctor\.site /)
  assert.match(
    text,
    /^probe +what node-3 of mesh-a allocated within 30 s and keeps: 1\.5 MB in the middle, 2\.6 MB at the end$/m,
  )
  assert.match(
    text,
    /\+800 kB, 80 % of all growth: onMessage at \/app\/src\/sessions\.ts:41\n +\+200 kB, 20 % .*decode/,
  )
  assert.doesNotMatch(text, /refill/)
  assert.match(text, /objects: Map 100 to 180$/m)
})

test('--json and --emit: the answer, and spans that the proof leads to', async (t) => {
  const receiver = await startReceiver()
  t.after(() => receiver.close())
  const { text } = await probed(t, { json: 'yes', emit: receiver.endpoint })
  const { probe, findings } = JSON.parse(text)
  assert.deepEqual(probe, answer)
  const named = (name: string) => receiver.spans.filter((span) => span.name === name)
  const [site] = named('mesh.doctor.site')
  assert.equal(site?.attributes['code.function.name'], 'onMessage')
  assert.deepEqual(named('mesh.doctor.probe')[0]?.attributes['mesh.doctor.counts'], ['Map 100 180', 'Set 9 9'])
  const proof = findings[0].proof.find(({ span }: { span: string }) => span === 'mesh.doctor.site')
  assert.deepEqual([proof.traceId, proof.spanId], [site?.traceId, site?.spanId])
})

test('a probe of a node of which there are no spans: a line says so', async (t) => {
  const { text, err } = await probed(t, {}, { ...answer, process: { ...self, node: 'node-9' } })
  assert.match(err, /the spans have no process of node-9 of mesh-a, which was probed/)
  assert.doesNotMatch(text, /owner +.* of onMessage/)
  assert.match(text, /^probe +what node-9 of mesh-a/m)
})

test('a token file that is missing or holds something else: a usage error without its content', async (t) => {
  await using temporary = await mkdtempDisposable(join(tmpdir(), 'tracemesh-token-'))
  const file = join(temporary.path, 'token')
  await writeFile(file, 'two words of a secret')
  for (const [name, problem] of [
    [file, /--token-file is ".*token", which has another text; expected 16 to 256/],
    [`${file}s`, /which cannot be read/],
  ] as const) {
    const { code, err } = await probed(t, { 'token-file': name })
    assert.equal(code, 2)
    assert.match(err, problem)
    assert.doesNotMatch(err, /two words/)
  }
})
