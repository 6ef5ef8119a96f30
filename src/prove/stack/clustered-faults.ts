import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../processes/waiting.ts'
import { stackBinary } from '../../stack/binaries.ts'
import { startFeed } from '../../testing/otlp/span-feed.ts'
import { type ClusteredStack, startClusteredStack } from '../../testing/stack/clustered-stack.ts'
import { openSearchHome } from '../../testing/stack/opensearch.ts'
import { openSearchApi } from '../../testing/stack/opensearch-api.ts'
import { atLeast, atMost, type Check, equals, type ProofContext, type ProofResult, round, unrun } from '../proof.ts'
import { queueSize } from './on-stack.ts'

/** A fault of the store or of a Jaeger while spans arrive. */
export interface StoreFault {
  readonly name: string
  /** Resolves when it is over. */
  run(stack: ClusteredStack): Promise<void>
}

export interface FaultOptions {
  readonly nodes: 1 | 3
  readonly jaegers: 1 | 2
  readonly faults: readonly StoreFault[]
  /** Spans per second. */
  readonly rate: number
  /** Called with the stack when all spans are stored. */
  readonly afterwards?: (stack: ClusteredStack, feed: ReturnType<typeof startFeed>) => Promise<readonly Check[]>
}

/** Spans that may be stored twice, as a share of all. */
const duplicateShare = 0.01
/** Time with spans and without a fault, before and after each. */
const quietMs = 8_000
/** Until the queue is empty after a fault; Jaeger looks for a lost store every five seconds. */
const drainMs = 300_000

/** Runs the overlay through the faults, one after the other, and accounts for the spans of each. */
export async function runFaults(context: ProofContext, options: FaultOptions): Promise<ProofResult> {
  const { progress, random, signal } = context
  const found = await clusteredPrograms()
  if ('missing' in found) return unrun(context, 'programs of the clustered store', 'there', found.missing)
  await using stack = await startClusteredStack({ ...options, programs: found })
  const api = openSearchApi(stack.storeUrl)
  progress(`${options.nodes} nodes of OpenSearch run`)
  const feed = startFeed(stack.collector.urls.otlp, random, options.rate)
  const rows: Record<string, unknown>[] = []
  const checks: Check[] = []
  try {
    await sleep(quietMs, undefined, { signal })
    let before = 0
    for (const { name, run } of options.faults) {
      const began = performance.now()
      await run(stack)
      const faultMs = performance.now() - began
      await sleep(quietMs, undefined, { signal })
      const drained = await until(
        async () => (await queueSize(stack.collector)) < options.rate * 3,
        drainMs,
        'the queue is empty',
        signal,
      )
      const emittedCount = feed.total()
      progress(`${name}: ${round(faultMs / 1_000)} s, queue empty ${round(drained / 1_000)} s later`)
      rows.push({
        fault: name,
        seconds: round(faultMs / 1_000),
        'drained in, s': round(drained / 1_000),
        spans: emittedCount - before,
      })
      before = emittedCount
    }
  } finally {
    await feed.stop()
  }
  await until(async () => (await queueSize(stack.collector)) === 0, drainMs, 'the queue is empty', signal)
  let last = -1
  // Jaeger writes what it has accepted a little later.
  const isStill = async () => {
    const previous = last
    last = await api.documents()
    await sleep(2_000, undefined, { signal })
    return last === previous
  }
  await until(isStill, drainMs, 'all spans are written', signal)
  const stored = await api.account(feed.emitted)
  const emittedCount = feed.total()
  checks.push(
    equals('spans missing in the store, by mesh.seq', 0, stored.missing),
    atMost('spans stored twice, of all', round(emittedCount * duplicateShare), stored.duplicates),
    atLeast('failed writes that Jaeger counts, for MeshCollectorQueueFilling', 1, await failedWrites(stack)),
    ...((await options.afterwards?.(stack, feed)) ?? []),
  )
  return { figures: { spans: emittedCount, ...stored, faults: rows }, checks }
}

async function failedWrites({ jaegerMetrics }: ClusteredStack): Promise<number> {
  const texts = await Promise.all(jaegerMetrics.map(async (url) => (await fetch(url)).text()))
  const counts = texts.flatMap((text) => [
    ...text.matchAll(/^jaeger_storage_bulk_index_latency_err_seconds_count\{.*} (\d+)$/gm),
  ])
  return counts.reduce((sum, [, count]) => sum + Number(count), 0)
}

/** Paths of the programs, or the first that is missing. */
export async function clusteredPrograms() {
  const [jaeger, k8sCheck, collector, openSearch] = await Promise.all([
    stackBinary('jaeger'),
    stackBinary('k8s-check'),
    stackBinary('otelcol-contrib'),
    openSearchHome(),
  ])
  for (const one of [jaeger, k8sCheck, collector, openSearch]) if ('missing' in one) return one
  return { jaeger: pathOf(jaeger), k8sCheck: pathOf(k8sCheck), openSearch: pathOf(openSearch) }
}

function pathOf(binary: Awaited<ReturnType<typeof stackBinary>>): string {
  if ('missing' in binary) throw new Error(binary.missing)
  return binary.path
}
