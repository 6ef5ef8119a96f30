import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { until } from '../../processes/waiting.ts'
import { Life } from '../../testing/doctor/life.ts'
import { SpanSource } from '../../testing/doctor/span-source.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { startReceiver } from '../../testing/otlp/otlp-receiver.ts'
import { readDoctorFlags } from './flags.ts'
import { startDoctor } from './run.ts'

// The pool of `fetch` keeps a connection for some seconds after its last use.
leakCheck({ graceMs: 8_000 })

/** When the lives of tests begin. */
const lifeMs = 1_800_000_000_000

/** Jaeger, with the spans of the last ten minutes: its page, and its API. */
async function startJaeger(t: TestContext, lives: readonly Life[]) {
  const shiftMs = Date.now() - 600_000 - lifeMs
  const spans = lives.flatMap((life) => life.spans.map((span) => ({ ...span, startMs: span.startMs + shiftMs })))
  const source = new SpanSource(spans)
  const server = createServer((request, response) => {
    if (source.isAway) return void response.writeHead(503).end()
    if (request.url === '/') return void response.writeHead(200, { 'content-type': 'text/html' }).end('Jaeger UI')
    source.fetch(`http://store${request.url}`).then(
      async (answer) => response.writeHead(200, { 'content-type': 'application/json' }).end(await answer.text()),
      () => response.destroy(),
    )
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { source, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

function selfSeed(): Life {
  const seed = '/dns4/node-3/udp/4001/quic-v1'
  const own = { 'mesh.seed.address': seed, 'mesh.seed.others': 1 }
  return new Life('node-3').span('mesh.seed.self', 1, own).censuses(5, 590, 2, [`${seed} self 1 0/10 0`])
}

async function start(
  raw: Readonly<Record<string, string>>,
  watch: boolean,
  more: { readonly files?: readonly string[]; readonly json?: true } = {},
) {
  const out: string[] = []
  const err: string[] = []
  const io = { out: (text: string) => out.push(text), err: (text: string) => err.push(text) }
  const doctor = await startDoctor(readDoctorFlags(raw, { files: [], json: false, watch, ...more }), io)
  return { doctor, out, err }
}

test('once, of Jaeger: the finding with links into its page; exit code 1', async (t) => {
  const { url } = await startJaeger(t, [new Life('node-1').censuses(5, 590, 2), selfSeed()])
  const { doctor, out } = await start({ url }, false)
  await doctor.stopRequest
  assert.equal(await doctor.stop('done', 1_000), 1)
  const text = out.join('')
  assert.match(text, new RegExp(`proof +mesh\\.seed\\.self .* ${url}/trace/[0-9a-f]{32}\\?uiFind=[0-9a-f]{16}`))
  assert.match(text, /read +all spans of mesh-a:/)
  assert.match(text, new RegExp(`search +${url}/search\\?service=mesh-a&operation=mesh\\.seed\\.self&tags=%7B`))
})

test('a watch that emits: the finding at every reading, the store away in between; the text once', async (t) => {
  const receiver = await startReceiver()
  t.after(() => receiver.close())
  const { url, source } = await startJaeger(t, [new Life('node-1').censuses(5, 590, 2), selfSeed()])
  const { doctor, out, err } = await start({ url, emit: receiver.endpoint, every: '1s' }, true)
  const emitted = () => receiver.spans.filter(({ name }) => name === 'mesh.doctor.finding')
  await until(() => emitted().length >= 2, 30_000, 'two findings')
  source.isAway = true
  await until(() => err.some((line) => line.includes('503')), 30_000, 'the store is away')
  source.isAway = false
  await until(() => err.some((line) => line.includes('answers again')), 30_000, 'the store is back')
  assert.equal(await doctor.stop('SIGINT', 1_000), 1)
  const [first] = emitted()
  assert.deepEqual(
    ['mesh.node.name', 'mesh.doctor.disease', 'mesh.doctor.certainty'].map((key) => first?.attributes[key]),
    ['node-3', 'self-seed', 'certain'],
  )
  assert.equal(out.join('').match(/A seed that is the node itself/g)?.length, 1)
  assert.equal(err.filter((line) => /503|answers again/.test(line)).length, 2, err.join(''))
})

test('two meshes, one of them without a census: that one is unclear, the other one as its findings say', async (t) => {
  const receiver = await startReceiver()
  t.after(() => receiver.close())
  const mute = new Life('node-9', { mesh: 'mesh-b' }).span('mesh.node.started', 500)
  const { url } = await startJaeger(t, [new Life('node-1').censuses(5, 590, 2), mute])
  const { doctor } = await start({ url, emit: receiver.endpoint }, false)
  await doctor.stopRequest
  await doctor.stop('done', 1_000)
  const verdicts = receiver.spans
    .filter(({ name }) => name === 'mesh.doctor.diagnosis')
    .map(({ attributes, resource }) => [resource?.['service.name'], attributes['mesh.doctor.verdict']])
  assert.deepEqual(verdicts.toSorted(), [
    ['mesh-a', 'healthy'],
    ['mesh-b', 'unclear'],
  ])
})

test('--json, no store and no file: standard output has the error as one line of JSON', async () => {
  const cases = [
    [{ url: 'http://127.0.0.1:1' }, { json: true }, 3, 'MESH_TRACES_UNREACHABLE'],
    [{}, { json: true, files: ['no-such-file'] }, 2, 'MESH_SPAN_FILE_UNREADABLE'],
  ] as const
  for (const [raw, more, code, name] of cases) {
    const { doctor, out, err } = await start({ ...raw }, false, { files: [], ...more })
    await doctor.stopRequest
    assert.equal(await doctor.stop('done', 1_000), code)
    const { error } = JSON.parse(out.join('')) as { error: { code: string; message: string } }
    assert.equal(error.code, name)
    assert.equal(err.join(''), `${error.code}: ${error.message}\n`)
  }
})
