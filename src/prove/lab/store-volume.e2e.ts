import { mkdtempDisposable, readFile, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mebibytesOf } from '../../lab/process-usage.ts'
import { exportBytes, type OtlpClient, otlpClient, type SentSpan } from '../../store/otlp-client.ts'
import { type StoreProcess, startStoreProcess } from '../../testing/cluster/command-process.ts'
import {
  exportsPerMinute,
  hex,
  type PlayedNode,
  playedMinute,
  playedNodes,
  spansPerMinute,
} from '../../testing/otlp/lab-spans.ts'
import { TraceReader } from '../../traces/reader.ts'
import { endToEnd } from '../end-to-end.ts'
import { fiveTimes } from '../evidence.ts'
import { atLeast, atMost, type Check, equals, type ProofContext, round } from '../proof.ts'

const minutes = 24 * 60
const limits = { rssMb: 200, diskMb: 500, perSecond: 5_000, searchMs: 300 }
/** A small store and its input: about 23 MB are left beside its journal, for 100 bytes a span. */
const small = { mb: 40, minutes: 216 }

/** Concurrent exports: of eighteen nodes not all send at the same moment. */
const maxInFlight = 12
/** One node dies once: the rare span of a whole day. */
const rare = { minute: 200, peer: 'one-that-died', silenceMs: 31_000 }

export const proof = endToEnd({
  name: 'store-volume',
  about:
    'two million spans, a day of the lab: the pocket store stays small and answers quickly, also when it overflows',
  quick: false,
  seconds: 360,
  async run(context) {
    await using temporary = await mkdtempDisposable(join(tmpdir(), 'tracemesh-store-'))
    const directory = temporary.path
    const file = join(directory, 'traces.db')
    const store = await startStoreProcess(file)
    try {
      const client = otlpClient(store.otlpUrl)
      const toMs = Math.floor(Date.now())
      const fed = await feed(client, toMs - minutes * 60_000, minutes, context).finally(() => client.close())
      const stats = await statsOf(store)
      const disk = await diskMb(file)
      const searches = await searchesOf(store, toMs)
      const peakMb = await peakRssMb(store)
      const beyond = await overfillStore(directory, context)
      return {
        figures: {
          ...fed,
          stats: { spans: stats.spans, evicted: stats.evicted, bytes: stats.bytes },
          'disk, MB': disk,
          'bytes per span': round((disk * 1e6) / stats.spans),
          'peak RSS, MiB': round(peakMb),
          searches,
          beyond,
        },
        checks: [
          atLeast('spans stored', 1_990_000, stats.spans),
          equals('spans evicted or refused', 0, stats.evicted + stats.refused),
          equals('spans stored, of those acknowledged', fed.spans, stats.spans),
          atMost('disk', limits.diskMb, disk, 'MB'),
          atMost('peak RSS', limits.rssMb, peakMb, 'MiB'),
          atLeast('ingest', limits.perSecond, fed['spans per second'], 'spans/s'),
          atLeast('ingest, slowest tenth', limits.perSecond, fed['slowest tenth, spans per second'], 'spans/s'),
          ...searches.flatMap(({ what, traces, ms }) => [
            atMost(`${what}: slowest of ${ms.length}`, limits.searchMs, Math.max(...ms), 'ms'),
            atLeast(`${what}: traces found`, 1, traces),
          ]),
          ...beyondChecks(beyond),
        ],
      }
    } finally {
      await store.process.stop()
    }
  },
})

type Stats = Readonly<Record<'spans' | 'evicted' | 'refused' | 'bytes', number>>

async function statsOf({ queryUrl }: StoreProcess): Promise<Stats> {
  return (await fetch(`${queryUrl}/api/stats`)).json() as Promise<Stats>
}

/** Feeds a small store a fifth more than its limit. */
async function overfillStore(directory: string, context: ProofContext) {
  const file = join(directory, 'small.db')
  const store = await startStoreProcess(file, ['--max-mb', String(small.mb)])
  const disk: number[] = []
  const sampleDisk = () => diskMb(file).then((mb) => disk.push(mb))
  const timer = setInterval(() => void sampleDisk().catch(() => {}), 100)
  try {
    const client = otlpClient(store.otlpUrl)
    const fromMs = Date.now() - small.minutes * 60_000
    const { spans } = await feed(client, fromMs, small.minutes, context).finally(() => client.close())
    const stats = await statsOf(store)
    await sampleDisk()
    return { sent: spans, stored: stats.spans, evicted: stats.evicted, samples: disk.length, diskMb: Math.max(...disk) }
  } finally {
    clearInterval(timer)
    await store.process.stop()
  }
}

function beyondChecks({ sent, stored, evicted, samples, diskMb }: Awaited<ReturnType<typeof overfillStore>>): Check[] {
  return [
    equals('small store: spans stored and evicted', sent, stored + evicted),
    atLeast('small store: evicted, of those stored', 0.15, round(evicted / stored)),
    atLeast('small store: samples of its files', 100, samples),
    atMost('small store: largest size of its files', small.mb, diskMb, 'MB'),
  ]
}

async function searchesOf({ queryUrl }: StoreProcess, toMs: number) {
  const reader = new TraceReader(queryUrl)
  const hour = { service: 'mesh-a', fromMs: toMs - 3_600_000, toMs, limit: 20 }
  const sweeps = { ...hour, span: 'mesh.staleness.pruned' }
  const audits = { ...hour, span: 'mesh.audit.peers' }
  const rarePair = { 'mesh.registry.size': 7, 'mesh.node.name': 'node-6' }
  const ofRare = { 'mesh.peer.id': rare.peer }
  const day = { ...hour, fromMs: toMs - minutes * 60_000 }
  const week = { ...hour, fromMs: toMs - 7 * 24 * 3_600_000 }
  const queries = {
    'last hour, name and node': { ...sweeps, attributes: { 'mesh.node.name': 'node-4' } },
    // One minute in twenty has it.
    'last hours, name and a rare pair of values': { ...audits, fromMs: toMs - 4 * 3_600_000, attributes: rarePair },
    'last hour, name and a value that matches nothing': { ...sweeps, attributes: { 'mesh.pruned.count': 5 } },
    'whole day, a rare value': { ...day, attributes: ofRare },
    'whole day, name and a rare value': { ...day, span: 'mesh.member.expired', attributes: ofRare },
    'a week, a pair that every minute has': { ...week, attributes: { 'mesh.node.name': 'node-4' } },
    // Each value occurs, together they never do: a registry’s peak is three above its size.
    'a week, pairs that match nothing': {
      ...audits,
      fromMs: week.fromMs,
      attributes: { ...rarePair, 'mesh.registry.high': 11 },
    },
  }
  const measured: { what: string; traces: number; ms: number[] }[] = []
  for (const [what, query] of Object.entries(queries)) {
    const { found, ms } = await fiveTimes(async () => (await reader.find(query)).traces.length)
    measured.push({ what, traces: /matche?s? nothing$/.test(what) ? 1 - found : found, ms })
  }
  return [...measured, await slowSpans(queryUrl, week)]
}

/** By duration, as a user of Jaeger's page searches; our reader never does. */
async function slowSpans(
  queryUrl: string,
  { service, fromMs, toMs }: { service: string; fromMs: number; toMs: number },
) {
  const [from, to] = [new Date(fromMs).toISOString(), new Date(toMs).toISOString()]
  const times = `query.start_time_min=${from}&query.start_time_max=${to}`
  const url = `${queryUrl}/api/v3/traces?query.service_name=${service}&${times}&query.duration_min=10s`
  const { found, ms } = await fiveTimes(async () => (await (await fetch(url)).text()).split('"traceId"').length - 1)
  return { what: 'a week, slow spans', traces: found, ms }
}

async function peakRssMb({ process }: StoreProcess): Promise<number> {
  return mebibytesOf(await readFile(`/proc/${process.pid}/status`, 'utf8'), 'VmHWM')
}

/** Sends the spans of the lab's nodes for `minutes`. */
async function feed(client: OtlpClient, fromMs: number, minutes: number, { random, progress, signal }: ProofContext) {
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
async function diskMb(file: string): Promise<number> {
  const sizes = await Promise.all([file, `${file}-wal`].map(async (path) => (await stat(path)).size))
  return round(sizes.reduce((a, b) => a + b) / 1e6)
}
