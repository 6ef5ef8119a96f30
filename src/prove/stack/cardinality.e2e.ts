import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { mebibytesOf } from '../../lab/process-usage.ts'
import { type RunningStack, startStack } from '../../stack/bare.ts'
import { exportBytes, type OtlpClient, otlpClient } from '../../store/otlp-client.ts'
import { startOtlpServer } from '../../store/otlp-server.ts'
import { hex } from '../../testing/otlp/lab-spans.ts'
import { endToEnd } from '../end-to-end.ts'
import { atLeast, atMost, equals, type ProofContext, type ProofResult, round } from '../proof.ts'
import { ChurnedMesh } from './churned-day.ts'
import { fromEnv, withStack } from './needs.ts'

/** CHURN_HOURS makes it shorter. */
const hours = fromEnv('CHURN_HOURS', 24)
/** Two flushes of the Collector: the first creates a counter. */
const flushedMs = 11_000
/** Series of one mesh that otel/collector.yaml allows, and a larger number of node names. */
const limit = 5_000
const unknownNames = limit + 1_000
/** Prefix of the span names of an application, each with another suffix. */
const foreign = 'GET /users/'
/** Memory limit of its container. */
const memoryMb = 256

export const proof = endToEnd({
  name: 'cardinality',
  about:
    'a day of churn with a fresh identity at every start, replayed through the Collector: the number of series is flat',
  quick: false,
  seconds: 60 + hours * 10,
  run: (context) => withStack(['otelcol-contrib'], context, () => replayDay(context)),
})

interface Count {
  readonly hour: number
  readonly series: number
  readonly calls: number
  readonly rssMb: number
}

async function replayDay({ seed, random, progress, signal }: ProofContext): Promise<ProofResult> {
  // Stands in for Jaeger and accepts every request.
  const sink = await startOtlpServer({ address: { host: '127.0.0.1', port: 0 }, ingest: async () => {} })
  await using stack = await startStack({
    services: ['collector'],
    env: { collector: { JAEGER_OTLP: `127.0.0.1:${sink.port}` } },
  })
  const client = otlpClient(stack.urls.otlp)
  const mesh = await ChurnedMesh.start(seed, random, Date.now() - hours * 3_600_000)
  const counts: Count[] = []
  try {
    let [exports, labelled] = [0, 0]
    for (let hour = 1; hour <= hours; hour++) {
      signal.throwIfAborted()
      const requests = await mesh.run(3_600_000)
      exports += requests.length
      await sendAll(client, requests)
      if (hour !== 1 && hour % Math.ceil(hours / 6) !== 0) continue
      await sleep(flushedMs, undefined, { signal })
      const { text, ...count } = await countSeries(stack, hour)
      counts.push(count)
      progress(`hour ${hour}: ${mesh.identities} identities, ${count.series} series, ${count.rssMb} MiB`)
      if (/12D3KooW/.test(text)) labelled++
    }
    const attacked = await attack(client, stack, random)
    const [middle, last] = [counts.at(-Math.ceil(counts.length / 2)), counts.at(-1)]
    return {
      figures: { hours, names: mesh.names.length, identities: mesh.identities, exports, counts, attacked },
      checks: [
        atLeast('identities', hours * 10, mesh.identities),
        equals('counts with an identity in the label of a series', 0, labelled),
        atLeast('series, as a minimum', 200, last?.series ?? 0),
        atMost(
          'series that the second half of the time added',
          round((middle?.series ?? 0) * 0.01),
          (last?.series ?? 0) - (middle?.series ?? 0),
        ),
        atMost(`series of calls after ${unknownNames} new node names`, limit + 1, attacked.calls),
        equals('the overflow series counts the rest', true, attacked.overflow),
        equals(`a span name of an application among ${unknownNames} is counted`, false, attacked.foreign),
        atMost(
          'resident memory of the Collector',
          memoryMb,
          Math.max(attacked.rssMb, ...counts.map(({ rssMb }) => rssMb)),
          'MiB',
        ),
      ],
    }
  } finally {
    mesh.close()
    client.close()
    sink.close()
  }
}

async function sendAll(client: OtlpClient, requests: readonly Buffer[]): Promise<void> {
  for (const request of requests) {
    const { code, details } = await client.send(request)
    if (code !== 0) throw new Error(`an export failed with status ${code}: ${details}`)
  }
}

async function countSeries({ urls, pid }: RunningStack, hour: number): Promise<Count & { readonly text: string }> {
  const text = await (await fetch(urls.spanMetrics)).text()
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  const calls = lines.filter((line) => line.startsWith('traces_span_metrics_calls_total')).length
  const status = await readFile(`/proc/${pid('collector')}/status`, 'utf8')
  return { hour, series: lines.length, calls, rssMb: round(mebibytesOf(status, 'VmRSS')), text }
}

/** Sends every span under a new node name. */
async function attack(client: OtlpClient, stack: RunningStack, random: ProofContext['random']) {
  for (let index = 0; index < unknownNames; index++) {
    const resource = { 'service.name': 'mesh-a', 'mesh.id': 'mesh-a', 'mesh.node.name': `unknown-${index}` }
    const span = (name: string) => ({
      ...{ traceId: hex(random, 32), spanId: hex(random, 16), startMs: Date.now() },
      name,
    })
    await sendAll(client, [exportBytes(resource, [span('mesh.window'), span(`${foreign}${index}`)])])
  }
  await sleep(flushedMs)
  const { text, ...count } = await countSeries(stack, hours)
  return { ...count, overflow: text.includes('otel_metric_overflow="true"'), foreign: text.includes(foreign) }
}
