import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { firesWithinMs } from '../../catalogue/alerts/alerts.ts'
import { callsLimitFor, spansCountedBy } from '../../catalogue/span-counts.ts'
import { Alertmanager, Prometheus } from '../../drill/stack-api.ts'
import { mebibytesOf } from '../../lab/process-usage.ts'
import { type RunningStack, startStack } from '../../stack/bare.ts'
import { exportBytes, type OtlpClient, otlpClient } from '../../store/otlp-client.ts'
import { startOtlpServer } from '../../store/otlp-server.ts'
import { censusMs, type IdleNode, idleNode } from '../../testing/otlp/idle-nodes.ts'
import { hex } from '../../testing/otlp/lab-spans.ts'
import { atMost, type Check, equals, type ProofContext, round } from '../proof.ts'
import { fromEnv, watchAlerts } from './on-stack.ts'

const mesh = 'mesh-a'
/** A scrape has to end within this time; it fails after 9 s. */
const scrapeMostMs = 2_000
/** Two flushes of the Collector: the first creates a counter. */
const flushedMs = 11_000
/** Resources of one request. */
const perRequest = 500
/** Requests in flight while the nodes start. */
const inFlight = 16
const pollMs = 500

const trouble: ReadonlySet<string> = new Set(spansCountedBy('trouble'))

/** Throws when a request fails. */
export async function sendAll(client: OtlpClient, requests: readonly Buffer[]): Promise<void> {
  for (const request of requests) {
    const { code, details } = await client.send(request)
    if (code !== 0) throw new Error(`an export failed with status ${code}: ${details}`)
  }
}

/** Sends a span that the Collector counts by node from each of `count` nodes that do not exist. */
export async function sendUnknownNodes(
  client: OtlpClient,
  count: number,
  random: ProofContext['random'],
  prefix = 'unknown',
): Promise<void> {
  const requests = Array.from({ length: count }, (_, index) => {
    const resource = { 'service.name': mesh, 'mesh.id': mesh, 'mesh.node.name': `${prefix}-${index}` }
    const ids = { traceId: hex(random, 32), spanId: hex(random, 16), startMs: Date.now() }
    return exportBytes(resource, [{ ...ids, name: 'mesh.node.stopped' }], '1.0.0')
  })
  for (let from = 0; from < count; from += perRequest)
    await sendAll(client, [Buffer.concat(requests.slice(from, from + perRequest))])
  await sleep(flushedMs)
}

/** The series of the Collector's span metrics, by the limit that bounds them, and its memory. */
export async function countSeries({ urls, pid }: RunningStack) {
  const text = await (await fetch(urls.spanMetrics)).text()
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  const calls = lines.filter((line) => line.startsWith('traces_span_metrics_calls_total{'))
  const byNode = calls.filter((line) => line.includes('mesh_node_name='))
  const inTrouble = byNode.filter((line) => trouble.has(/span_name="([^"]+)"/.exec(line)?.[1] ?? '')).length
  return {
    text,
    counts: {
      series: lines.length,
      gauges: lines.filter((line) => line.startsWith('mesh_')).length,
      callsByMesh: calls.length - byNode.length,
      callsByNode: byNode.length - inTrouble,
      callsInTrouble: inTrouble,
      scrapeMb: round(text.length / 1e6),
      rssMb: await rssMb(pid('collector')),
    },
    overflow: text.includes('otel_metric_overflow="true"'),
  }
}

async function rssMb(pid: number | undefined): Promise<number> {
  return round(mebibytesOf(await readFile(`/proc/${pid}/status`, 'utf8'), 'VmRSS'))
}

/** Idle nodes that send what real ones do, at the same times, until they are stopped. */
function startNodes(client: OtlpClient, names: readonly string[], { random, signal }: ProofContext) {
  const abort = new AbortController()
  const stopped = AbortSignal.any([abort.signal, signal])
  let [exports, spans] = [0, 0]
  const send = async (node: IdleNode, emitted: ReturnType<IdleNode['start']>) => {
    await sendAll(client, [exportBytes(node.resource, emitted, '1.0.0')])
    exports++
    spans += emitted.length
  }
  const run = async () => {
    const nodes = names.map((name) => idleNode(mesh, name, random))
    for (let from = 0; from < nodes.length; from += inFlight)
      await Promise.all(nodes.slice(from, from + inFlight).map((node) => send(node, node.start(Date.now()))))
    const began = Date.now()
    let next = 0
    while (!stopped.aborted) {
      const due = Math.floor(((Date.now() - began) / censusMs) * nodes.length)
      for (; next < due; next++) {
        const node = nodes[next % nodes.length]
        if (node !== undefined) await send(node, node.halfMinute(Date.now()))
      }
      await sleep(50, undefined, { signal: stopped }).catch(() => {})
    }
  }
  const running = run()
  // The caller learns of an error at the end.
  running.catch(() => {})
  return {
    sent: () => ({ exports, spans }),
    stop: async () => {
      abort.abort()
      await running
    },
  }
}

/** Milliseconds until an alert that `is` accepts is active in Alertmanager; NaN after `limitMs`. */
async function untilActive(
  stack: RunningStack,
  is: (labels: Readonly<Record<string, string>>) => boolean,
  limitMs: number,
  signal: AbortSignal,
): Promise<number> {
  const alertmanager = new Alertmanager(stack.urls.alertmanager)
  const began = performance.now()
  while (performance.now() - began < limitMs) {
    if ((await alertmanager.all('active')).some(is)) return round(performance.now() - began)
    await sleep(pollMs, undefined, { signal })
  }
  return Number.NaN
}

/** Sends the give-up of a node that nobody has heard of, and returns the time until its alert is active. */
async function giveUpOf(name: string, client: OtlpClient, stack: RunningStack, { random, signal }: ProofContext) {
  const node = idleNode(mesh, name, random)
  await sendAll(client, [exportBytes(node.resource, node.giveUp(Date.now()), '1.0.0')])
  const isIts = (labels: Readonly<Record<string, string>>) =>
    labels['alertname'] === 'MeshSeedGiveup' && labels['mesh_node_name'] === name
  return untilActive(stack, isIts, giveUpMs + 60_000, signal)
}

const giveUpMs = firesWithinMs('MeshSeedGiveup')
const overflowMs = firesWithinMs('MeshCardinalityOverflow')
const isOverflow = (labels: Readonly<Record<string, string>>) => labels['alertname'] === 'MeshCardinalityOverflow'

/** SERIES_NODES is the last number of nodes, SERIES_MINUTES how long these run. Each number has a stack of its own. */
const lastNodes = fromEnv('SERIES_NODES', 1_000)
const lastSeconds = fromEnv('SERIES_MINUTES', 10) * 60
const sizes = [
  { nodes: 18, seconds: Math.min(120, lastSeconds) },
  { nodes: 100, seconds: Math.min(120, lastSeconds) },
  { nodes: lastNodes, seconds: lastSeconds },
]
/** About how long all of it takes. */
export const sizesSeconds = sizes.reduce((sum, { seconds }) => sum + seconds + 90, 180)

export async function measureSizes(context: ProofContext) {
  const results: Awaited<ReturnType<typeof measure>>[] = []
  for (const { nodes, seconds } of sizes) results.push(await measure(nodes, seconds, nodes === lastNodes, context))
  return { figures: results.map(({ figures }) => figures), checks: results.flatMap(({ checks }) => checks) }
}

/** `beyond`: also fills the limit on series. */
async function measure(nodes: number, seconds: number, beyond: boolean, context: ProofContext) {
  // Stands in for Jaeger and accepts every request.
  const sink = await startOtlpServer({ address: { host: '127.0.0.1', port: 0 }, ingest: async () => {} })
  await using stack = await startStack({
    services: ['collector', 'prometheus', 'alertmanager'],
    nodes,
    env: { collector: { JAEGER_OTLP: `127.0.0.1:${sink.port}` } },
  })
  const client = otlpClient(stack.urls.otlp)
  const names = Array.from({ length: nodes }, (_, index) => `node-${index}`)
  const running = startNodes(client, names, context)
  try {
    await using alerts = watchAlerts(stack.urls.alertmanager)
    await sleep(seconds * 1_000, undefined, { signal: context.signal })
    const { counts, overflow } = await countSeries(stack)
    const load = await loadOf(stack, seconds)
    const meshAlerts = alerts.fired('mesh')
    const early = (await new Alertmanager(stack.urls.alertmanager).all('active')).some(isOverflow)
    const rangMs = await giveUpOf('new-1', client, stack, context)
    const figures = { nodes, seconds, ...running.sent(), ...counts, ...load, rangMs }
    context.progress(JSON.stringify(figures))
    const of = `${nodes} nodes`
    const checks = [
      atMost(`${of}: the longest scrape`, scrapeMostMs, load.scrapeMs, 'ms'),
      equals(`${of}: series beyond the limit`, false, overflow),
      equals(`${of}: an alert about the limit`, false, early),
      equals(`${of}: alerts about the mesh`, '', meshAlerts.join(' ')),
      atMost(`${of}: the give-up of a new node rings`, giveUpMs, rangMs, 'ms'),
      atMost(`${of}: the slowest evaluation of urgent rules, every 10 s`, 5_000, load.criticalRulesMs, 'ms'),
    ]
    if (!beyond) return { figures, checks }
    const filled = await fillLimit(nodes, counts.callsByNode, client, stack, context)
    return { figures: { ...figures, filled: filled.figures }, checks: [...checks, ...filled.checks] }
  } finally {
    await running.stop()
    client.close()
    sink.close()
  }
}

/** Fills nine tenths of the series by node, then more than all. */
async function fillLimit(nodes: number, used: number, client: OtlpClient, stack: RunningStack, context: ProofContext) {
  const limit = callsLimitFor(nodes)
  await sendUnknownNodes(client, Math.ceil(0.9 * limit) - used, context.random)
  const pagedMs = await untilActive(stack, isOverflow, overflowMs + 60_000, context.signal)
  const { overflow: early } = await countSeries(stack)
  await sendUnknownNodes(client, Math.ceil(0.2 * limit), context.random, 'more')
  const { overflow, counts } = await countSeries(stack)
  const rangMs = await giveUpOf('new-2', client, stack, context)
  const checks: Check[] = [
    atMost('nine tenths of the limit: the alert is active, after two flushes', overflowMs, pagedMs, 'ms'),
    equals('nine tenths of the limit: series beyond it', false, early),
    equals('more than the limit: series beyond it', true, overflow),
    atMost('more than the limit: series by node', limit, counts.callsByNode),
    atMost('more than the limit: the give-up of a new node rings', giveUpMs, rangMs, 'ms'),
  ]
  return { figures: { limit, pagedMs, rangMs, ...counts }, checks }
}

/** Cost of the scrapes and of the rules, as Prometheus measured it. */
async function loadOf(stack: RunningStack, seconds: number) {
  const prometheus = new Prometheus(stack.urls.prometheus)
  const ms = async (query: string) => round(1_000 * (await prometheus.number(query)))
  const rules = (group: string) =>
    ms(`max(max_over_time(prometheus_rule_group_last_duration_seconds{rule_group=~".*;mesh-${group}"}[${seconds}s]))`)
  return {
    scrapeMs: await ms(`max(max_over_time(scrape_duration_seconds{job="mesh-spans"}[${seconds}s]))`),
    criticalRulesMs: await rules('critical'),
    warningRulesMs: await rules('warning'),
    headSeries: await prometheus.number('prometheus_tsdb_head_series'),
    prometheusMb: await rssMb(stack.pid('prometheus')),
  }
}
