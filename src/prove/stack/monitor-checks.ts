import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { SpanKind } from '@opentelemetry/api'
import * as z from 'zod'
import type { SpanName } from '../../catalogue/spans.ts'
import type { RunningStack } from '../../stack/bare.ts'
import { exportBytes, otlpClient } from '../../store/otlp-client.ts'
import { type Check, each } from '../proof.ts'

const service = 'monitor-probe'
/** A span of each kind that the Monitor tab can select; OTLP counts kinds from 1. */
const probes = [
  ['internal', 'mesh.member.joined', SpanKind.INTERNAL],
  ['client', 'mesh.request.sent', SpanKind.CLIENT],
  ['server', 'mesh.request.handled', SpanKind.SERVER],
  ['producer', 'mesh.message.published', SpanKind.PRODUCER],
  ['consumer', 'mesh.message.received', SpanKind.CONSUMER],
] as const satisfies readonly (readonly [string, SpanName, SpanKind])[]
/** A rate needs two scrapes of a counter that rises, after the two flushes that show it. */
const [rounds, roundMs, durationMs] = [8, 5_000, 40]

const answerShape = z.object({
  metrics: z.array(
    z.object({
      labels: z.array(z.object({ name: z.string(), value: z.string() })),
      metricPoints: z.array(z.object({ gaugeValue: z.object({ doubleValue: z.union([z.number(), z.string()]) }) })),
    }),
  ),
})

/** What Jaeger's Monitor tab asks for each kind of span: rates and latencies, which it shows in milliseconds. */
export async function monitorChecks({ urls }: RunningStack, signal: AbortSignal): Promise<readonly Check[]> {
  const client = otlpClient(urls.otlp)
  try {
    for (let round = 0; round < rounds; round++) {
      await client.send(probeSpans())
      await sleep(roundMs, undefined, { signal })
    }
  } finally {
    client.close()
  }
  const kinds = await Promise.all(
    probes.map(async ([kind, span]) => ({
      kind,
      calls: await largest(urls.jaeger, 'calls', kind, span),
      latency: await largest(urls.jaeger, 'latencies', kind, span),
    })),
  )
  // The bucket of 50 ms; Prometheus interpolates within it.
  const isLatency = (ms: number) => ms > 5 && ms <= 50
  return [
    each('kinds of span without a rate in the Monitor tab', 'none', kinds, ({ calls }) => calls > 0),
    each('kinds of span without a latency there', 'none', kinds, ({ latency }) => isLatency(latency)),
  ]
}

function probeSpans(): Buffer {
  const attributes = {
    'service.name': service,
    'mesh.id': service,
    'mesh.node.name': 'probe',
    'mesh.node.role': 'compute',
  }
  return exportBytes(
    attributes,
    probes.map(([, name, kind]) => ({
      traceId: randomBytes(16).toString('hex'),
      spanId: randomBytes(8).toString('hex'),
      name,
      kind: kind + 1,
      startMs: Date.now() - durationMs,
      durationMs,
    })),
  )
}

/** The largest value that Jaeger has for an operation within the last minutes; 0 for none. */
async function largest(jaeger: string, metric: 'calls' | 'latencies', kind: string, span: string): Promise<number> {
  const query = new URLSearchParams({
    service,
    spanKind: kind,
    groupByOperation: 'true',
    endTs: String(Date.now()),
    lookback: '300000',
    step: '10000',
    ratePer: '60000',
    ...(metric === 'latencies' && { quantile: '0.95' }),
  })
  const answer = await fetch(`${jaeger}/api/metrics/${metric}?${query}`)
  const { metrics } = answerShape.parse(await answer.json())
  const points = metrics.flatMap(({ labels, metricPoints }) =>
    labels.some(({ value }) => value === span) ? metricPoints : [],
  )
  const values = points.map(({ gaugeValue }) => Number(gaugeValue.doubleValue)).filter((value) => value > 0)
  return Math.max(0, ...values)
}
