import { setTimeout as sleep } from 'node:timers/promises'
import type { AlertName } from '../../catalogue/alerts/alerts.ts'
import { Alertmanager } from '../../drill/stack-api.ts'
import { until } from '../../processes/waiting.ts'
import type { RunningStack } from '../../stack/bare.ts'
import { type StackBinary, stackBinary } from '../../stack/binaries.ts'
import type { Cluster } from '../../testing/cluster/cluster.ts'
import { TraceReader } from '../../traces/reader.ts'
import type { TraceSpan } from '../../traces/trace.ts'
import { spanAccounts, spansNamed } from '../evidence.ts'
import { each, equals, type ProofContext, type ProofResult, unrun } from '../proof.ts'

/** Runs a proof that needs programs of the stack; without them a check that is not shown names the missing one. */
export async function withStack(
  context: ProofContext,
  run: () => Promise<ProofResult>,
  needs: readonly StackBinary[] = ['jaeger', 'otelcol-contrib', 'prometheus', 'alertmanager'],
): Promise<ProofResult> {
  for (const name of needs) {
    const binary = await stackBinary(name)
    if ('missing' in binary) return unrun(context, 'programs of the stack', 'there', binary.missing)
  }
  return run()
}

/** A whole number from the environment, or the default. Throws for anything else. */
export function fromEnv(name: string, fallback: number): number {
  const value = process.env[name]
  if (value === undefined || value === '') return fallback
  if (!/^[1-9]\d{0,8}$/.test(value)) throw new Error(`${name} is ${value}; expected a whole number from 1`)
  return Number(value)
}

const pollMs = 5_000

/** Records the active alerts of an Alertmanager until it is disposed of. */
export function watchAlerts(url: string) {
  const alertmanager = new Alertmanager(url)
  const abort = new AbortController()
  const { signal } = abort
  const alerts = new Map<string, string>()
  const nodes = new Map<string, Set<string>>()
  let polls = 0
  const record = async () => {
    for (const { alertname = '', about = '', job, exporter, mesh_node_name: node } of await alertmanager.all(
      'active',
    )) {
      alerts.set([alertname, job ?? exporter].filter((part) => part !== undefined).join(' of '), about)
      if (node !== undefined) nodes.set(alertname, (nodes.get(alertname) ?? new Set()).add(node))
    }
  }
  const watch = async () => {
    while (!signal.aborted) {
      // Alertmanager may be unreachable for a moment, so answered polls are counted.
      const answered = await record().then(
        () => true,
        () => false,
      )
      if (answered) polls++
      await sleep(pollMs, undefined, { signal }).catch(() => {})
    }
  }
  const watching = watch()
  return {
    /** Number of answered polls. */
    polls: () => polls,
    /** Names of the alerts so far about the mesh, or about the pipeline of its spans. */
    fired: (about: 'mesh' | 'pipeline') =>
      [...alerts].flatMap(([name, alertAbout]) => (alertAbout === about ? [name] : [])).sort(),
    /** Names of the nodes for which an alert fired so far. */
    nodesOf: (alert: AlertName): readonly string[] => [...(nodes.get(alert) ?? [])],
    [Symbol.asyncDispose]: async () => {
      abort.abort()
      await watching
    },
  }
}

/** Spans in the Collector's queue, by its own metrics. */
export async function queueSize({ urls }: RunningStack): Promise<number> {
  const text = await (await fetch(urls.collectorMetrics)).text()
  const size = /^otelcol_exporter_queue_size\{[^}]*exporter="otlp_grpc\/jaeger"[^}]*\} (\S+)$/m.exec(text)?.[1]
  if (size === undefined) throw new Error('the Collector reports no queue size')
  return Number(size)
}

/** Spans of the mesh that the Collector has counted since it started. */
export async function countedSpans({ urls }: RunningStack): Promise<number> {
  const text = await (await fetch(urls.spanMetrics)).text()
  const counters = text.matchAll(/^traces_span_metrics_calls_total\{[^}]*mesh_id="mesh-a"[^}]*\} (\S+)/gm)
  return Array.from(counters, ([, value]) => Number(value)).reduce((sum, value) => sum + value, 0)
}

/** A search returns a limited number of traces. */
const searchMs = 300_000

/** All spans in Jaeger, once it has the stop of every node. */
async function allSpans(stack: RunningStack, fromMs: number, count: number): Promise<readonly TraceSpan[]> {
  const reader = new TraceReader(stack.urls.jaeger, { countLimit: 2_000, timeoutMs: 30_000 })
  const find = async (span?: string) => {
    const spans = new Map<string, TraceSpan>()
    for (let from = fromMs; from < Date.now() + 1_000; from += searchMs) {
      const query = { service: 'mesh-a', fromMs: from, toMs: from + searchMs, limit: 1_999, ...(span && { span }) }
      const { traces, partial } = await reader.find(query)
      if (partial !== undefined) throw new Error(`Jaeger returned only a part of the spans: ${partial}`)
      // A trace may be in two searches.
      for (const one of traces.flatMap((trace) => trace.spans)) spans.set(one.spanId, one)
    }
    return [...spans.values()]
  }
  const ended = async () => spansNamed(await find('mesh.node.stopped'), 'mesh.node.stopped').length
  await until(async () => (await ended()) === count, 120_000, 'every node has emitted its stop')
  // Jaeger stores spans of the same requests at about the same time.
  await sleep(2_000)
  return find()
}

/** Stops all nodes, finds their spans in Jaeger, and checks that it has every one. */
export async function stopAndAccount(stack: RunningStack, cluster: Cluster, fromMs: number) {
  const nodes = cluster.nodes()
  const ends = await Promise.all(nodes.map(async (node) => ({ name: node.name, code: await node.stop() })))
  const lost = nodes.flatMap(({ log }) => log).filter(({ msg }) => /lost/.test(String(msg)))
  const spans = await allSpans(stack, fromMs, nodes.length)
  const instances = spanAccounts(spans)
  return {
    spans,
    instances,
    checks: [
      equals('nodes with spans', nodes.length, instances.length),
      each('spans of a node that are missing, by mesh.seq', 'none', instances, ({ missing }) => missing === 0),
      equals('log lines about lost spans', 0, lost.length),
      each('exit code of a node', '0', ends, ({ code }) => code === 0),
    ],
  }
}
