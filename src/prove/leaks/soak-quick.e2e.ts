import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../../processes/waiting.ts'
import { type Cluster, startCluster } from '../../testing/cluster/cluster.ts'
import { startStoreProcess } from '../../testing/cluster/command-process.ts'
import { isAlive } from '../../testing/cluster/process-tree.ts'
import { startSoakProcess } from '../../testing/cluster/soak-process.ts'
import { TraceReader } from '../../traces/reader.ts'
import { endToEnd } from '../end-to-end.ts'
import { atLeast, type Check, equals, type ProofContext } from '../proof.ts'

/** A busy machine takes a minute for what takes seconds. */
const patientMs = 150_000

export const proof = endToEnd({
  name: 'soak-quick',
  about:
    'a soak of a running mesh: lives join, it ends early at SIGINT with a report and a span, and leaves no process',
  quick: true,
  seconds: 50,
  async run(context) {
    const directory = await mkdtemp(join(tmpdir(), 'tracemesh-soak-'))
    try {
      return await run(directory, context)
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  },
})

async function run(directory: string, { progress, signal }: ProofContext) {
  const store = await startStoreProcess(join(directory, 'traces.db'))
  const receiver = { endpoint: store.otlpUrl }
  await using resources = new AsyncDisposableStack()
  resources.defer(async () => void (await store.process.stop()))
  const env = { MESH_OTLP: store.otlpUrl, OTEL_BSP_SCHEDULE_DELAY: '500' }
  const cluster: Cluster = resources.use(await startCluster({ receiver: 'none', env }))
  const absent = await failedSoak('--against', store.queryUrl, '--seed', cluster.address('seed'))
  await cluster.node('seed', { role: 'seed' })
  await cluster.node('node-1', { seeds: [cluster.address('seed')] })
  const unreachable = await failedSoak('--against', 'http://127.0.0.1:9')
  progress('the nodes run')
  const seeds = ['seed', 'node-1'].map((name) => cluster.address(name)).join(',')
  const reader = new TraceReader(store.queryUrl)
  await until(async () => (await reader.services()).includes('mesh-a'), patientMs, 'traces of the mesh', signal)
  await using soak = startSoakProcess(
    ...['--against', store.queryUrl, '--seed', seeds, '--otlp', receiver.endpoint],
    ...['--for', '1h', '--churn', '2/s', '--warm-up', '1h', '--report', join(directory, 'report')],
  )
  const lives = () => Number(/: (\d+) lives/.exec(soak.progress.at(-1) ?? '')?.[1] ?? 0)
  await until(() => lives() >= 5, patientMs, `lives: ${soak.progress.join('\n')}`, signal)
  const children = soak.children()
  const joined = lives()
  soak.interrupt()
  const { code, report } = await soak.ended
  const page = await readFile(join(directory, 'report/report.md'), 'utf8').catch(() => '')
  const checks: Check[] = [
    equals('exit code of a soak of a store without spans', 2, absent.code ?? -1),
    equals('it says so', true, absent.stderr.includes('MESH_SPANS_ABSENT')),
    equals('exit code of a soak of a page that nobody serves', 2, unreachable.code ?? -1),
    equals('it says so, too', true, unreachable.stderr.includes('MESH_TRACES_UNREACHABLE')),
    atLeast('lives until the SIGINT', 5, joined),
    equals('exit code after SIGINT', 3, code ?? -1),
    equals('verdict', 'undecided', report?.verdict ?? 'none'),
    equals('it says why', true, report?.reasons.some((reason) => reason.startsWith('ended early')) === true),
    equals('the report is a page', true, page.startsWith('# Soak: undecided')),
    atLeast('processes of lives', 1, children.length),
    equals('processes that are left', 0, children.filter(isAlive).length),
    atLeast('spans mesh.soak.verdict', 1, await verdicts(reader)),
  ]
  return { figures: { lives: joined, processes: children.length }, checks }
}

async function failedSoak(...args: string[]) {
  await using soak = startSoakProcess(...args)
  return await soak.ended
}

async function verdicts(reader: TraceReader): Promise<number> {
  const nowMs = Date.now()
  const query = {
    service: 'mesh-a',
    span: 'mesh.soak.verdict',
    fromMs: nowMs - 600_000,
    toMs: nowMs + 1_000,
    limit: 10,
  }
  const { traces } = await reader.find(query)
  return traces.length
}
