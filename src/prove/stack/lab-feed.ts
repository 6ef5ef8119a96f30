import { setTimeout as sleep } from 'node:timers/promises'
import { status } from '@grpc/grpc-js'
import { exportBytes, otlpClient, type SentSpan } from '../../store/otlp-client.ts'
import { hex, type PlayedNode, playedMinute, playedNodes, spansPerMinute } from '../../testing/otlp/lab-spans.ts'
import { type ProofContext, round } from '../proof.ts'

export interface LabFeedOptions {
  /** OTLP over gRPC, of Jaeger. */
  readonly url: string
  readonly spans: number
  /** The spans are spread over this time, in milliseconds since 1970. */
  readonly fromMs: number
  readonly toMs: number
  /** Called after every tenth minute of the lab. */
  readonly watch?: () => Promise<void>
  /** Appended to the error of a request that Jaeger refuses for ten minutes. */
  readonly output?: () => string
}

/** Spans of one request, as the Collector sends them, and concurrent requests. */
const [perExport, inFlight] = [2_048, 4]
/** How long refused requests are resent; the Collector does so until its queue is full. */
const refusedMs = 600_000
/** Approximate number of give-ups: searches look for these. */
const giveUps = 40

/** Sends minutes of the lab's spans to Jaeger until there are enough. */
export async function feedLab(options: LabFeedOptions, { random, progress, signal }: ProofContext) {
  const { spans: target, fromMs, toMs, watch, output } = options
  const client = otlpClient(options.url)
  const nodes = playedNodes(random)
  const minutes = Math.ceil(target / (nodes.length * spansPerMinute))
  const sending = new Set<Promise<void>>()
  const began = performance.now()
  let [spans, resent, giveUpCount, refused] = [0, 0, 0, 0]
  let sample: readonly SentSpan[] = []
  const waiting = nodes.map((): SentSpan[] => [])
  const send = async ({ resource }: PlayedNode, part: readonly SentSpan[]) => {
    const body = exportBytes(resource, part)
    // As the Collector does: a request without success is resent with the same spans.
    const first = performance.now()
    for (;;) {
      const { code, details } = await client.send(body)
      if (code === status.OK) break
      const forMs = performance.now() - first
      refused = Math.max(refused, round(forMs / 1_000))
      if (forMs > refusedMs)
        throw new Error(`an export failed with status ${code}: ${details}; output of Jaeger: ${output?.()}`)
      resent++
      await sleep(1_000, undefined, { signal })
    }
    spans += part.length
  }
  const flush = async (least: number) => {
    for (const [index, node] of nodes.entries()) {
      const batch = waiting[index] ?? []
      if (batch.length < least) continue
      const sent: Promise<void> = send(node, batch.splice(0)).finally(() => sending.delete(sent))
      sending.add(sent)
      if (sending.size >= inFlight) await Promise.race(sending)
    }
  }
  try {
    for (let minute = 0; minute < minutes; minute++) {
      signal.throwIfAborted()
      const atMs = fromMs + (minute / minutes) * (toMs - fromMs)
      for (const [index] of nodes.entries()) {
        const played = playedMinute(nodes, minute, atMs, random)
        if (index === 0 && minute <= minutes / 2) sample = played
        waiting[index]?.push(...played)
      }
      if (minute % Math.ceil(minutes / giveUps) === 0) {
        waiting[0]?.push(...campaign(atMs, random))
        giveUpCount++
      }
      await flush(perExport - spansPerMinute)
      if (minute % 10 === 0) await watch?.()
      if ((minute + 1) % Math.ceil(minutes / 20) === 0)
        progress(`${spans} spans, ${Math.round(spans / ((performance.now() - began) / 1_000))} a second`)
    }
    await flush(1)
    await Promise.all(sending)
  } finally {
    client.close()
  }
  const seconds = (performance.now() - began) / 1_000
  const refusals = { 'sent again': resent, 'longest refusal, s': refused }
  const figures = {
    spans,
    giveUps: giveUpCount,
    seconds: round(seconds),
    'spans per second': round(spans / seconds),
    ...refusals,
  }
  return { figures, sample }
}

/** One trace of ten failed attempts. */
function campaign(atMs: number, random: ProofContext['random']): SentSpan[] {
  const traceId = hex(random, 32)
  const root = hex(random, 16)
  const seed = { 'mesh.seed.address': '/dns4/seed-2/udp/4001/quic-v1' }
  const attempt = (index: number): SentSpan => ({
    traceId,
    spanId: hex(random, 16),
    parentSpanId: root,
    name: index === 10 ? 'mesh.seed.giveup' : 'mesh.seed.retry',
    startMs: atMs + index * 15_000,
    durationMs: 10_000,
    attributes: { ...seed, 'mesh.seed.attempt': index, 'error.type': 'TimeoutError' },
    status: index === 10 ? 2 : 0,
  })
  const dial = { traceId, spanId: root, name: 'mesh.seed.dial', startMs: atMs, attributes: seed }
  return [dial, ...Array.from({ length: 10 }, (_, index) => attempt(index + 1))]
}
