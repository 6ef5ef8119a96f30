import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { jobs } from '../catalogue/alerts/promql.ts'
import { isMeshError } from '../core/errors.ts'
import { nodeCommand } from '../processes/node-program.ts'
import { Subprocess } from '../processes/subprocess.ts'
import { until } from '../processes/waiting.ts'
import { exportBytes, otlpClient, type SentSpan } from '../store/otlp-client.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { programTest } from '../testing/stack/program-test.ts'
import { setEnvironment } from '../testing/surroundings.ts'
import { TraceReader } from '../traces/reader.ts'
import { type RunningStack, startStack } from './bare.ts'
import { type ServiceName, serviceNames } from './services.ts'

leakCheck()

const binaries = {
  jaeger: 'jaeger',
  collector: 'otelcol-contrib',
  prometheus: 'prometheus',
  alertmanager: 'alertmanager',
} as const
const peer = '12D3KooWNeverALabel'
const resource = {
  'service.name': 'mesh-a',
  'service.instance.id': 'start-1',
  'mesh.id': 'mesh-a',
  'mesh.node.name': 'a-seed-1',
  'mesh.node.role': 'seed',
  'mesh.peer.self': peer,
}

/** A test of these services, which run. */
function stackTest(title: string, services: readonly ServiceName[], run: (stack: RunningStack) => Promise<void>): void {
  const programs = services.map((name) => binaries[name])
  programTest(title, programs, async () => {
    await using stack = await startStack({ services })
    await run(stack)
  })
}

type Sent = Omit<SentSpan, 'traceId' | 'spanId' | 'startMs'>

function send(url: string, ...spans: readonly Sent[]): Promise<void> {
  return sendOf(resource, '1.0.0', url, ...spans)
}

async function sendOf(of: typeof resource, version: string, url: string, ...spans: readonly Sent[]): Promise<void> {
  const client = otlpClient(url)
  const id = (index: number) => String(index + 1).padStart(16, '1')
  const emittedSpans = spans.map((span, index) => ({
    traceId: id(index).repeat(2),
    spanId: id(index),
    startMs: Date.now(),
    ...span,
  }))
  const { code, details } = await client.send(exportBytes(of, emittedSpans, version))
  client.close()
  assert.equal(code, 0, details)
}

async function isStored(stack: RunningStack, span: string): Promise<boolean> {
  const now = Date.now()
  const { traces } = await new TraceReader(stack.urls.jaeger).find({
    service: 'mesh-a',
    span,
    fromMs: now - 600_000,
    toMs: now + 60_000,
  })
  return traces.length > 0
}

stackTest(
  'span metrics have the labels that rules and boards use, and no peer id',
  ['jaeger', 'collector'],
  async (stack) => {
    const registry = { 'mesh.registry.name': 'connections', 'mesh.registry.size': 2, 'mesh.registry.capacity': 64 }
    const census = {
      'process.memory.usage': 91 * 1_048_576,
      // A whole number: some senders encode it as an integer.
      'process.cpu.time': 12,
      'mesh.telemetry.lost_total': 5,
      'mesh.audit.links': 7,
      'mesh.audit.sweeps': 12,
      'mesh.registry.connections.size': 3,
      'mesh.registry.relay_seen.size': 4,
      'mesh.audit.guests': 2,
      'mesh.audit.members': 9,
      'mesh.audit.connections': 8,
      'mesh.peer.id': peer,
    }
    await send(
      stack.urls.otlp,
      { name: 'mesh.audit.connections', attributes: registry },
      { name: 'mesh.audit', attributes: census },
      { name: 'GET /user/1' },
      { name: 'mesh.seed.giveup', attributes: { 'mesh.peer.id': peer }, status: 2 },
      { name: 'mesh.staleness.pruned' },
      { name: 'mesh.not.declared' },
    )
    const older = { ...resource, 'mesh.node.name': 'a-old-1' }
    const names = { 'process.memory.rss_mb': 50, 'process.cpu.ms_per_s': 7, 'process.loop.delay_p99_ms': 2 }
    const row = { name: 'mesh.audit.connections', attributes: registry }
    const sweep = { name: 'mesh.staleness.pruned' }
    await sendOf(older, '', stack.urls.otlp, { name: 'mesh.audit', attributes: names }, row, sweep)
    const metrics = async () => (await fetch(stack.urls.spanMetrics)).text()
    const node = 'mesh_id="mesh-a",mesh_node_name="a-seed-1"'
    const of = 'span_kind="SPAN_KIND_INTERNAL",span_name="mesh.seed.giveup",status_code="STATUS_CODE_ERROR"'
    const expected = [
      `mesh_registry_size{job="mesh-a",${node},mesh_node_role="seed",mesh_registry="connections"} 3`,
      `mesh_registry_size{job="mesh-a",${node},mesh_node_role="seed",mesh_registry="relay_seen"} 4`,
      `mesh_registry_size{job="mesh-a",${node.replace('a-seed-1', 'a-old-1')},mesh_node_role="seed",mesh_registry="connections"} 2`,
      `mesh_sweeps_total{job="mesh-a",${node}} 12`,
      `mesh_registry_capacity{job="mesh-a",mesh_id="mesh-a",mesh_node_role="seed",mesh_registry="connections"} 64`,
      `mesh_process_resident_memory_bytes{job="mesh-a",${node},mesh_node_role="seed"} 9.5420416e+07`,
      `mesh_process_cpu_seconds_total{job="mesh-a",${node},mesh_node_role="seed"} 12`,
      `mesh_process_resident_memory_bytes{job="mesh-a",${node.replace('a-seed-1', 'a-old-1')},mesh_node_role="seed"} 5.24288e+07`,
      `mesh_process_cpu_ratio{job="mesh-a",${node.replace('a-seed-1', 'a-old-1')},mesh_node_role="seed"} 0.007`,
      `mesh_telemetry_lost_total{job="mesh-a",${node}} 5`,
      '# TYPE mesh_process_cpu_seconds_total counter',
      '# TYPE mesh_sweeps_total counter',
      '# TYPE mesh_telemetry_lost_total counter',
      `mesh_links{job="mesh-a",${node}} 7`,
      `mesh_guests{job="mesh-a",${node}} 2`,
      `mesh_members{job="mesh-a",${node}} 9`,
      `mesh_connections{job="mesh-a",${node}} 8`,
      'mesh_series_limit{job="mesh-a",mesh_id="mesh-a"} 5000',
      'mesh_series_limit_by_mesh{job="mesh-a",mesh_id="mesh-a"} 1000',
      `job="mesh-a",${node},mesh_node_role="seed",service_name="mesh-a",${of}} 1`,
      `,le="5"} 1`,
    ]
    // A counter is 0 in its first flush.
    await until(async () => (await metrics()).includes(expected.at(-2) ?? ''), 30_000, 'the counter of give-ups is 1')
    const text = await metrics()
    assert.deepEqual(
      expected.filter((line) => !text.includes(line)),
      [],
    )
    assert.doesNotMatch(text, /12D3KooW|start-1|target_info|instance="/)
    // Spans of an application are stored and not counted.
    assert.doesNotMatch(text, /GET \/user/)
    await until(() => isStored(stack, 'GET /user/1'), 30_000, 'the span of an application is in Jaeger')
    assert.doesNotMatch(text, /duration_milliseconds_bucket\{[^}]*mesh_node_name/)
    const counts = text.split('\n').filter((line) => line.startsWith('traces_span_metrics_calls_total{'))
    const nodesWith = (name: string) =>
      counts
        .filter((line) => line.includes(`span_name="${name}"`))
        .map((line) => /mesh_node_name="([^"]+)"/.exec(line)?.[1])
        .sort()
    assert.deepEqual(nodesWith('mesh.audit'), ['a-old-1', 'a-seed-1'])
    assert.deepEqual(nodesWith('mesh.seed.giveup'), ['a-seed-1'])
    assert.deepEqual(nodesWith('mesh.not.declared'), [undefined])
    // Those of the previous version are counted by node, since their census has no count.
    assert.deepEqual(nodesWith('mesh.staleness.pruned'), ['a-old-1', undefined])
    assert.deepEqual(nodesWith('mesh.audit.connections'), [undefined])
    const unknown = Array.from({ length: 1_001 }, (_, index) => ({ name: `mesh.unknown.${index}` }))
    await send(stack.urls.otlp, ...unknown)
    const overflow =
      /^traces_span_metrics_calls_total\{[^}]*mesh_id="mesh-a",mesh_series="mesh",otel_metric_overflow="true"/m
    await until(async () => overflow.test(await metrics()), 30_000, 'names beyond the limit share a series')
  },
)

stackTest(
  'Jaeger down and the Collector killed: queued spans survive on disk, stored spans survive in Jaeger',
  ['jaeger', 'collector'],
  async (stack) => {
    await send(stack.urls.otlp, { name: 'mesh.window' })
    await until(() => isStored(stack, 'mesh.window'), 30_000, 'the first span is in Jaeger')
    await stack.stop('jaeger')
    await send(stack.urls.otlp, { name: 'mesh.audit' })
    await stack.kill('collector')
    assert.equal(stack.pid('collector'), undefined)
    await stack.start('collector')
    await stack.start('jaeger')
    await until(() => isStored(stack, 'mesh.audit'), 60_000, 'the second span is in Jaeger')
    assert.equal(await isStored(stack, 'mesh.window'), true)
    const archived = async () => {
      const lines = (await readFile(`${stack.directory}/archive/spans.jsonl`, 'utf8')).trim().split('\n')
      // The killed Collector may have been writing one, which the next one writes again, in any order with what waited.
      return [...new Set(lines.map((line) => JSON.parse(line).resourceSpans[0].scopeSpans[0].spans[0].name))].toSorted()
    }
    await until(async () => (await archived()).length === 2, 30_000, 'both spans are in the archive')
    assert.deepEqual(await archived(), ['mesh.audit', 'mesh.window'])
  },
)

stackTest('Prometheus scrapes every target of the stack', serviceNames, async (stack) => {
  const ups = async () => {
    const answer = await fetch(`${stack.urls.prometheus}/api/v1/query?query=up`)
    const { data } = (await answer.json()) as {
      data: { result: { metric: { job: string }; value: [number, string] }[] }
    }
    return data.result.filter(({ value }) => value[1] === '1').map(({ metric }) => metric.job)
  }
  await until(async () => (await ups()).length >= 5, 60_000, 'all targets are up')
  assert.deepEqual((await ups()).sort(), Object.values(jobs).toSorted())
  const known = await (await fetch(`${stack.urls.prometheus}/api/v1/alertmanagers`)).text()
  assert.ok(known.includes(new URL(stack.urls.alertmanager).host), known)
})

programTest('a killed stack leaves no process and no directory', Object.values(binaries), async () => {
  const entry = fileURLToPath(new URL('./main.ts', import.meta.url))
  const printed = Promise.withResolvers<string>()
  const child = new Subprocess({ name: 'the stack', command: nodeCommand(entry, ['--json']), onLine: printed.resolve })
  const urls = JSON.parse(await child.ready(printed.promise, 90_000)) as Record<string, string>
  await child.stop(0, 'SIGKILL')
  const isRefused = (url: string) =>
    fetch(url).then(
      () => false,
      () => true,
    )
  for (const key of ['jaeger', 'prometheus', 'alertmanager', 'collectorMetrics'])
    await until(() => isRefused(urls[key] ?? ''), 30_000, `${key} is closed`)
  await until(() => !existsSync(urls['directory'] ?? '/'), 30_000, 'the directory is removed')
})

test('a missing program: the error names the script that builds it', async (t) => {
  setEnvironment(t, { TRACEMESH_STACK: '/nowhere' })
  await assert.rejects(
    startStack(),
    (error) => isMeshError(error, 'MESH_STACK_MISSING') && /offline\.sh/.test(error.message),
  )
})

const broken = 'a program that does not start: the error has its output, and nothing is left behind'
programTest(broken, ['otelcol-contrib'], async () => {
  const start = startStack({ services: ['collector'], env: { collector: { QUEUE_ITEMS: 'many' } } })
  await assert.rejects(start, (error) => isMeshError(error, 'MESH_STACK_FAILED') && /queue_size/.test(error.message))
})
