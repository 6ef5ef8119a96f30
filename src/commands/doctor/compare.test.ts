import assert from 'node:assert/strict'
import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { EvidenceFold } from '../../doctor/evidence/fold.ts'
import { Life } from '../../testing/doctor/life.ts'
import { lineOf } from '../../testing/doctor/span-source.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { readRecording, recordings } from '../../zoo/recording.ts'
import { compare, compareLines, type DiagnosedPeriod } from './compare.ts'
import { readDoctorFlags } from './flags.ts'
import { startDoctor } from './run.ts'

leakCheck()

/** A page that does not answer counts as Jaeger's if the user names it. */
const ui = 'http://127.0.0.1:1'
const beginMs = 1_800_000_000_000
const at = (ms: number) => new Date(ms).toISOString()
const atS = (seconds: number) => at(beginMs + 1_000 * seconds)

interface Asked {
  readonly before: string
  readonly from?: string
  readonly node?: string
}

/** What `tracemesh doctor --before` prints of a file, and its exit code. */
async function compared(file: string, asked: Asked, json = false) {
  const out: string[] = []
  const err: string[] = []
  const io = { out: (text: string) => out.push(text), err: (text: string) => err.push(text) }
  const flags = readDoctorFlags({ ...asked, ui }, { files: [file], json, watch: false })
  const doctor = await startDoctor(flags, io)
  await doctor.stopRequest
  const code = await doctor.stop('done', 1_000)
  const text = out.join('')
  return { code, text, rows: text.split('compared with')[1]?.split('\n').slice(1) ?? [], err: err.join('') }
}

/** The same of the spans of some lives. */
async function comparedLives(lives: readonly Life[], asked: Asked, json = false) {
  await using temporary = await mkdtempDisposable(join(tmpdir(), 'tracemesh-compare-'))
  const file = join(temporary.path, 'spans.jsonl')
  await writeFile(file, lives.map(({ spans }) => lineOf(spans)).join(''))
  return await compared(file, asked, json)
}

/** A recording of real nodes, cut in two where the disease was planted. */
async function comparedRecording(name: string) {
  const { truth } = await readRecording(name)
  const before = `${at(truth.startedAtMs - 60_000)}..${at(truth.plantedAtMs)}`
  return await compared(join(recordings, `${name}.jsonl.zst`), { before })
}

test('a recording cut in two where a disease was planted: it is new, with a comparison in Jaeger; exit code 1', async () => {
  const { code, text, rows } = await comparedRecording('self-seed')
  assert.equal(code, 1)
  assert.match(text, /compared with the earlier period: ill, before (healthy|unclear); versions \S+, then \S+/)
  assert.match(rows[0] ?? '', /^ {3}new {7}A seed that is the node itself: seed \S+ at node-3 of \S+$/)
  assert.ok(!rows.some((row) => /gone|unchanged/.test(row)), rows.join('\n'))
  assert.match(
    rows.at(-2) ?? '',
    /^ {3}compare {3}a minute of node-3 .*: http:\/\/127.0.0.1:1\/trace\/[0-9a-f]{32}\.\.\.[0-9a-f]{32}$/,
  )
})

test('a clean recording cut in two: nothing in either', async () => {
  const { truth } = await readRecording('clean-quiet')
  const middleMs = (truth.startedAtMs + truth.endedAtMs) / 2
  const file = join(recordings, 'clean-quiet.jsonl.zst')
  const { rows } = await compared(file, { before: `${at(truth.startedAtMs - 60_000)}..${at(middleMs)}` })
  assert.equal(rows[0], '   nothing in either')
})

/** A node that has itself as a seed, from its start to its end. */
function ill(node: string, instance: string, fromS: number, toS: number): Life {
  const seed = `/dns4/${node}/udp/4001/quic-v1`
  const own = { 'mesh.seed.address': seed, 'mesh.seed.others': 1 }
  return new Life(node, { instance: `${node} ${instance}` })
    .span('mesh.seed.self', fromS, own)
    .censuses(fromS + 5, toS, 2, [`${seed} self 1 0/10 0`])
}

const well = (node: string) => new Life(node).censuses(5, 2_400, 2)

test('a deployment that cures one fault, brings another, and stops a node: gone, new, unseen and unchanged; exit code 1', async () => {
  const lives = [
    ...[well('node-1'), well('node-2'), ill('node-6', 'all', 0, 2_400)],
    ...[ill('node-3', 'old', 0, 1_100), new Life('node-3', { instance: 'node-3 new' }).censuses(1_205, 2_400, 2)],
    ...[new Life('node-4', { instance: 'node-4 old' }).censuses(5, 1_100, 2), ill('node-4', 'new', 1_205, 2_400)],
    ...[ill('node-5', 'old', 0, 1_100)],
  ]
  const asked = { before: `${atS(0)}..${atS(1_200)}` }
  const { code, rows } = await comparedLives(lives, asked)
  const fault = (node: string) =>
    `A seed that is the node itself: seed /dns4/${node}/udp/4001/quic-v1 at ${node} of mesh-a`
  assert.equal(code, 1)
  assert.deepEqual(rows.slice(0, 4), [
    `   new       ${fault('node-4')}`,
    `   gone      ${fault('node-3')}`,
    `   unseen    ${fault('node-5')}: the later period has too little of it`,
    `   unchanged ${fault('node-6')}`,
  ])
  const { code: ofNode, rows: ofOne } = await comparedLives(lives, { ...asked, node: 'node-3' })
  assert.deepEqual([ofNode, ofOne[0]], [0, `   gone      ${fault('node-3')}`])
})

test('--json: the comparison is part of the report of the later period', async () => {
  const lives = [well('node-1'), ill('node-3', 'old', 0, 1_100), new Life('node-3').censuses(1_205, 2_400, 2)]
  const { text } = await comparedLives(lives, { before: `${atS(0)}..${atS(1_200)}`, from: atS(1_200) }, true)
  const { verdict, comparison } = JSON.parse(text)
  const { change, disease, owner } = comparison.findings[0]
  assert.deepEqual([verdict, comparison.verdicts], ['healthy', ['ill', 'healthy']])
  assert.deepEqual([change, disease, owner.node], ['gone', 'self-seed', 'node-3'])
})

test('no spans in the earlier period: a line says so, and the later one is diagnosed', async () => {
  const { code, text, err } = await comparedLives([well('node-1')], { before: `${atS(-900)}..${atS(-300)}` })
  assert.equal(code, 0)
  assert.match(text, /^healthy/)
  assert.match(err, /^no comparison: no span of a mesh/)
})

/** What two periods of one timer leak say, with the rates of its growth. */
function leakIn(perHour: number, node = 'node-3'): DiagnosedPeriod {
  const finding = { disease: 'timers-left', title: 'Timers', certainty: 'likely', owner: ownerAt(node) }
  const growth = { from: 0, to: 50, unit: 'timers', perHour, perEvent: undefined }
  const report = { verdict: 'ill', findings: [{ ...finding, growth }], evidence: { versions: ['1.0.0'] } }
  return { report, evidence: evidenceOf([]) } as unknown as DiagnosedPeriod
}

function ownerAt(node: string, mesh = 'mesh-a') {
  return { mesh, node, instance: 'i', part: 'timers' }
}

function evidenceOf(lives: readonly Life[]) {
  const fold = new EvidenceFold()
  for (const { spans } of lives) for (const span of spans) fold.add(span)
  return fold.evidence({ complete: true, partial: [] })
}

test('one leak in both periods: faster or slower from twice the rate on, otherwise unchanged', () => {
  const changeOf = (before: number, after: number) => compare(leakIn(before), leakIn(after)).findings[0]?.change
  assert.deepEqual([changeOf(3_000, 300), changeOf(300, 3_000), changeOf(300, 400)], ['slower', 'faster', 'unchanged'])
  const lines = compareLines(compare(leakIn(3_000), leakIn(300)), () => undefined)
  assert.ok(
    lines.includes('   slower    Timers: timers at node-3 of mesh-a: 300 timers per hour, before 3000 timers'),
    lines.join('\n'),
  )
})

test('two meshes with nodes of one name: the traces to compare are of the mesh that is ill', () => {
  const lives = (mesh: string, name: string) =>
    new Life('node-3', { mesh, instance: `${mesh} ${name}` }).censuses(5, 95, 2)
  const [before, after] = ['old', 'new'].map((name) => evidenceOf([lives('mesh-a', name), lives('mesh-b', name)]))
  for (const mesh of ['mesh-a', 'mesh-b']) {
    const finding = { ...leakIn(1).report.findings[0], owner: ownerAt('node-3', mesh) }
    const period = (evidence: typeof before) =>
      ({ report: { ...leakIn(1).report, findings: [finding] }, evidence }) as unknown as DiagnosedPeriod
    const { traces } = compare(period(before), period(after))
    const ids = [before, after].map((one) => one?.instances.find((i) => i.mesh === mesh)?.censuses.at(-1)?.traceId)
    assert.deepEqual([traces?.mesh, traces?.before.traceId, traces?.after.traceId], [mesh, ...ids])
  }
})
