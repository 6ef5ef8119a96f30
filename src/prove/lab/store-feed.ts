import { stat } from 'node:fs/promises'
import { exportBytes, type OtlpClient, type SentSpan } from '../../store/otlp-client.ts'
import {
  exportsPerMinute,
  hex,
  type PlayedNode,
  playedMinute,
  playedNodes,
  spansPerMinute,
} from '../../testing/otlp/lab-spans.ts'
import { type ProofContext, round } from '../proof.ts'

/** Concurrent exports: of eighteen nodes not all send at the same moment. */
const maxInFlight = 12
/** One node dies once: the rare span of a whole day. */
export const rare = { minute: 200, peer: 'one-that-died', silenceMs: 31_000 }

/** Sends the spans of the lab's nodes for `minutes`. */
export async function feed(
  client: OtlpClient,
  fromMs: number,
  minutes: number,
  { random, progress, signal }: ProofContext,
) {
  const nodes = playedNodes(random)
  const sending = new Set<Promise<void>>()
  const began = performance.now()
  const rates: number[] = []
  let [spans, bytes, slowestMs, mark, markSpans] = [0, 0, 0, began, 0]
  const send = async ({ resource }: PlayedNode, part: readonly SentSpan[]) => {
    const body = exportBytes(resource, part)
    const sent = performance.now()
    const { code, details } = await client.send(body)
    if (code !== 0) throw new Error(`an export failed with status ${code}: ${details}`)
    spans += part.length
    bytes += body.length
    slowestMs = Math.max(slowestMs, performance.now() - sent)
  }
  for (let minute = 0; minute < minutes; minute++) {
    signal.throwIfAborted()
    const played = nodes.map((node) => ({
      node,
      spans: playedMinute(nodes, minute, fromMs + minute * 60_000, random),
    }))
    if (minute === rare.minute) played[0]?.spans.push(expiry(fromMs + minute * 60_000 + 30_000, random))
    const size = Math.ceil(spansPerMinute / exportsPerMinute)
    for (let part = 0; part <= exportsPerMinute; part++) {
      for (const { node, spans } of played) {
        const batch = spans.slice(part * size, (part + 1) * size)
        if (batch.length === 0) continue
        const sent: Promise<void> = send(node, batch).finally(() => sending.delete(sent))
        sending.add(sent)
        if (sending.size >= maxInFlight) await Promise.race(sending)
      }
    }
    if ((minute + 1) % (minutes / 10) !== 0) continue
    rates.push((spans - markSpans) / ((performance.now() - mark) / 1_000))
    mark = performance.now()
    markSpans = spans
    progress(`${spans} spans, ${Math.round(rates.at(-1) ?? 0)} a second`)
  }
  await Promise.all(sending)
  const seconds = (performance.now() - began) / 1_000
  return {
    spans,
    'seconds to send': round(seconds),
    'spans per second': round(spans / seconds),
    'slowest tenth, spans per second': round(Math.min(...rates)),
    'protobuf bytes per span': round(bytes / spans),
    'slowest export, ms': round(slowestMs),
  }
}

function expiry(startMs: number, random: ProofContext['random']): SentSpan {
  const attributes = { 'mesh.peer.id': rare.peer, 'mesh.member.silence_ms': rare.silenceMs }
  const ids = { traceId: hex(random, 32), spanId: hex(random, 16) }
  return { ...ids, name: 'mesh.member.expired', startMs, durationMs: rare.silenceMs, attributes }
}

/** Of the database and its journal, in MB. */
export async function diskMb(file: string): Promise<number> {
  const sizes = await Promise.all([file, `${file}-wal`].map(async (path) => (await stat(path)).size))
  return round(sizes.reduce((a, b) => a + b) / 1e6)
}
