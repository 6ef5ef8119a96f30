import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  exportsPerMinute,
  hex,
  type PlayedNode,
  playedMinute,
  playedNodes,
  spansPerMinute,
} from '../testing/lab-spans.ts'
import { exportBytes, type OtlpClient, otlpClient, type SentSpan } from '../testing/otlp-client.ts'
import { type StoreProcess, startStoreProcess } from '../testing/store-process.ts'
import { TraceReader } from '../traces/reader.ts'
import { atLeast, atMost, equals, type Proof, type ProofContext, round } from './proof.ts'

const minutes = 24 * 60
const wanted = { rssMb: 200, diskMb: 500, perSecond: 5_000, searchMs: 300 }
/** Exports on their way at once: eighteen nodes of which not all send in the same moment. */
const inFlight = 12
/** One node dies once: what is looked for in a whole day. */
const rare = { minute: 200, peer: 'one-that-died' }

export const proof: Proof = {
  name: 'store-volume',
  about: 'two million spans, a day of the lab: the pocket store stays small and answers quickly',
  quick: false,
  seconds: 300,
  async run(context) {
    const directory = await mkdtemp(join(tmpdir(), 'tracemesh-store-'))
    const file = join(directory, 'traces.db')
    const store = await startStoreProcess(file)
    try {
      const client = otlpClient(store.otlpUrl)
      const toMs = Math.floor(Date.now())
      const fed = await feed(client, toMs - minutes * 60_000, context).finally(() => client.close())
      const stats = (await (await fetch(`${store.queryUrl}/api/stats`)).json()) as {
        spans: number
        evicted: number
        refused: number
        bytes: number
      }
      const disk = await diskMb(file)
      const searches = await searchesOf(store, toMs)
      const peakMb = await peakRssMb(store)
      return {
        figures: {
          ...fed,
          stats: { spans: stats.spans, evicted: stats.evicted, bytes: stats.bytes },
          'disk, MB': disk,
          'bytes per span': round((disk * 1e6) / stats.spans),
          'peak RSS, MiB': round(peakMb),
          searches,
        },
        checks: [
          atLeast('spans kept', 1_990_000, stats.spans),
          equals('spans evicted or refused', 0, stats.evicted + stats.refused),
          equals('spans kept, of those acknowledged', fed.spans, stats.spans),
          atMost('disk', wanted.diskMb, disk, 'MB'),
          atMost('peak RSS', wanted.rssMb, peakMb, 'MiB'),
          atLeast('ingest', wanted.perSecond, fed['spans per second'], 'spans/s'),
          atLeast('ingest, slowest tenth', wanted.perSecond, fed['slowest tenth, spans per second'], 'spans/s'),
          ...searches.flatMap(({ what, traces, ms }) => [
            atMost(`${what}: slowest of ${ms.length}`, wanted.searchMs, Math.max(...ms), 'ms'),
            atLeast(`${what}: traces found`, 1, traces),
          ]),
        ],
      }
    } finally {
      await store.process.stop()
      await rm(directory, { recursive: true, force: true })
    }
  },
}

async function feed(client: OtlpClient, fromMs: number, { random, progress, signal }: ProofContext) {
  const nodes = playedNodes(random)
  const sending = new Set<Promise<void>>()
  const began = performance.now()
  const rates: number[] = []
  let [spans, bytes, slowestMs, mark, markSpans] = [0, 0, 0, began, 0]
  const send = async ({ resource }: PlayedNode, part: readonly SentSpan[]) => {
    const body = exportBytes(resource, part)
    const sent = performance.now()
    const { code, details } = await client.send(body)
    if (code !== 0) throw new Error(`an export was answered ${code}: ${details}`)
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
        const some = spans.slice(part * size, (part + 1) * size)
        if (some.length === 0) continue
        const sent: Promise<void> = send(node, some).finally(() => sending.delete(sent))
        sending.add(sent)
        if (sending.size >= inFlight) await Promise.race(sending)
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
  const attributes = { 'mesh.peer.id': rare.peer, 'mesh.member.silence_ms': 31_000 }
  return { traceId: hex(random, 32), spanId: hex(random, 16), name: 'mesh.member.expired', startMs, attributes }
}

async function searchesOf({ queryUrl }: StoreProcess, toMs: number) {
  const reader = new TraceReader(queryUrl)
  const hour = { service: 'mesh-a', fromMs: toMs - 3_600_000, toMs }
  const day = { ...hour, fromMs: toMs - minutes * 60_000 }
  const queries = {
    'last hour, name and node': {
      ...hour,
      span: 'mesh.staleness.pruned',
      attributes: { 'mesh.node.name': 'node-4' },
      limit: 20,
    },
    'last hour, name and a rare pair of values': {
      ...hour,
      span: 'mesh.audit.peers',
      attributes: { 'mesh.registry.size': 7, 'mesh.node.name': 'node-6' },
      limit: 20,
    },
    'last hour, name and a value that nobody has': {
      ...hour,
      span: 'mesh.staleness.pruned',
      attributes: { 'mesh.pruned.count': 5 },
      limit: 20,
    },
    'whole day, a rare value': { ...day, attributes: { 'mesh.peer.id': rare.peer }, limit: 20 },
    'whole day, name and a rare value': {
      ...day,
      span: 'mesh.member.expired',
      attributes: { 'mesh.peer.id': rare.peer },
      limit: 20,
    },
  }
  const measured: { what: string; traces: number; ms: number[] }[] = []
  for (const [what, query] of Object.entries(queries)) {
    const ms: number[] = []
    let traces = 0
    for (let i = 0; i < 5; i++) {
      const began = performance.now()
      traces = (await reader.find(query)).traces.length
      ms.push(round(performance.now() - began))
    }
    measured.push({ what, traces: what.endsWith('nobody has') ? 1 - traces : traces, ms })
  }
  return measured
}

async function diskMb(file: string): Promise<number> {
  const sizes = await Promise.all([file, `${file}-wal`].map(async (path) => (await stat(path)).size))
  return round(sizes.reduce((a, b) => a + b) / 1e6)
}

async function peakRssMb({ process }: StoreProcess): Promise<number> {
  const status = await readFile(`/proc/${process.pid}/status`, 'utf8')
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1_024
}
