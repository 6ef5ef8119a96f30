import { setTimeout as sleep } from 'node:timers/promises'
import { registries } from '../../catalogue/registries.ts'
import { callsLimit } from '../../catalogue/span-counts.ts'
import { specOf } from '../../catalogue/span-effect.ts'
import { type SpanName, spans } from '../../catalogue/spans.ts'
import type { Random } from '../../core/machine.ts'
import { type RunningStack, startStack } from '../../stack/bare.ts'
import { exportBytes, type OtlpClient, otlpClient, type SentSpan, type SentValue } from '../../store/otlp-client.ts'
import { startOtlpServer } from '../../store/otlp-server.ts'
import { hex } from '../../testing/otlp/lab-spans.ts'
import { type EmittedSpan, SimMesh, type SimNode } from '../../testing/sim/sim-mesh.ts'
import { endToEnd } from '../end-to-end.ts'
import { atLeast, atMost, equals, type ProofContext, type ProofResult, round } from '../proof.ts'
import { fromEnv, withStack } from './on-stack.ts'
import { countSeries, measureSizes, sendAll, sendUnknownNodes, sizesSeconds } from './series-sizes.ts'

/** CHURN_HOURS makes it shorter. */
const hours = fromEnv('CHURN_HOURS', 24)
/** Two flushes of the Collector: the first creates a counter. */
const flushedMs = 11_000
/** A larger number of node names than otel/collector.yaml allows series. */
const unknownNames = callsLimit + 1_000
/** Prefix of the span names of an application, each with another suffix. */
const foreign = 'GET /users/'
/** Memory limit of its container. */
const memoryMb = 256

/** Every five minutes a node dies or leaves, and comes back with a new identity under its name. */
const churnMs = 300_000
const censusMs = 30_000
/** Spans of one request, below the limit of a receiver. */
const perExport = 500

const seeds = ['seed-1', 'seed-2']
const others = Array.from({ length: 8 }, (_, index) => `node-${index + 1}`)
const names = [...seeds, ...others]

export const proof = endToEnd({
  name: 'cardinality',
  about:
    'a day of churn with a fresh identity at every start: the number of series is flat; a thousand nodes for ten minutes: the give-up of a new one rings',
  quick: false,
  seconds: 60 + hours * 10 + sizesSeconds,
  run: (context) => withStack(context, () => prove(context), ['otelcol-contrib', 'prometheus', 'alertmanager']),
})

async function prove(context: ProofContext): Promise<ProofResult> {
  const [day, sized] = [await replayDay(context), await measureSizes(context)]
  return { figures: { ...day.figures, sizes: sized.figures }, checks: [...day.checks, ...sized.checks] }
}

async function replayDay({ seed, random, progress, signal }: ProofContext): Promise<ProofResult> {
  // Stands in for Jaeger and accepts every request.
  const sink = await startOtlpServer({ address: { host: '127.0.0.1', port: 0 }, ingest: async () => {} })
  await using stack = await startStack({
    services: ['collector'],
    env: { collector: { JAEGER_OTLP: `127.0.0.1:${sink.port}` } },
  })
  const client = otlpClient(stack.urls.otlp)
  const mesh = await startChurnedMesh(seed, random, Date.now() - hours * 3_600_000)
  const all: (Awaited<ReturnType<typeof countSeries>>['counts'] & { readonly hour: number })[] = []
  try {
    let [exports, labelled] = [0, 0]
    for (let hour = 1; hour <= hours; hour++) {
      signal.throwIfAborted()
      const requests = await mesh.run(3_600_000)
      exports += requests.length
      await sendAll(client, requests)
      if (hour !== 1 && hour % Math.ceil(hours / 6) !== 0) continue
      await sleep(flushedMs, undefined, { signal })
      const { text, counts } = await countSeries(stack)
      all.push({ hour, ...counts })
      progress(`hour ${hour}: ${mesh.identities()} identities, ${counts.series} series, ${counts.rssMb} MiB`)
      if (/12D3KooW/.test(text)) labelled++
    }
    const attacked = await attack(client, stack, random)
    const middleSeries = all.at(-Math.ceil(all.length / 2))?.series ?? 0
    const lastSeries = all.at(-1)?.series ?? 0
    const rssMb = Math.max(attacked.rssMb, ...all.map((count) => count.rssMb))
    return {
      figures: { hours, names: names.length, identities: mesh.identities(), exports, counts: all, attacked },
      checks: [
        atLeast('identities', hours * 10, mesh.identities()),
        equals('counts with an identity in the label of a series', 0, labelled),
        atLeast('series, as a minimum', 200, lastSeries),
        atMost('series that the second half of the time added', round(middleSeries * 0.01), lastSeries - middleSeries),
        atMost(`series by node after ${unknownNames} new node names`, callsLimit, attacked.callsByNode),
        equals('the overflow series counts the rest', true, attacked.overflow),
        equals(`a span name of an application among ${unknownNames} is counted`, false, attacked.foreign),
        atMost('resident memory of the Collector', memoryMb, rssMb, 'MiB'),
      ],
    }
  } finally {
    mesh.close()
    client.close()
    sink.close()
  }
}

/** More nodes than the limit, and as many names of an application's spans. */
async function attack(client: OtlpClient, stack: RunningStack, random: ProofContext['random']) {
  const resource = { 'service.name': 'mesh-a', 'mesh.id': 'mesh-a', 'mesh.node.name': 'node-1' }
  const foreignSpans = Array.from({ length: unknownNames }, (_, index) => {
    return { traceId: hex(random, 32), spanId: hex(random, 16), startMs: Date.now(), name: `${foreign}${index}` }
  })
  for (let from = 0; from < unknownNames; from += perExport)
    await sendAll(client, [exportBytes(resource, foreignSpans.slice(from, from + perExport))])
  await sendUnknownNodes(client, unknownNames, random)
  const { text, counts, overflow } = await countSeries(stack)
  return { ...counts, overflow, foreign: text.includes(foreign) }
}

/**
 * Nodes of the simulator with a new identity at every start, and their spans as requests to a Collector. `fromMs`: time
 * of the simulator's zero, in milliseconds since 1970.
 */
async function startChurnedMesh(seed: number, random: Random, fromMs: number) {
  const mesh = new SimMesh({ seed, names })
  let identities = 0
  let spansUntil = -1
  const start = async (name: string) => {
    const role = seeds.includes(name) ? 'seed' : 'compute'
    const otherSeeds = seeds.filter((other) => other !== name).map((other) => mesh.addressOf(other))
    const peer = `12D3KooW${hex(random, 12)}${++identities}`
    await mesh.start(name, { peer, role, meshes: ['mesh-a'], seeds: otherSeeds })
  }
  const requests = (): Buffer[] => {
    const now = mesh.clock.now()
    const byNode = Map.groupBy(
      mesh.spans.filter(({ at }) => at > spansUntil),
      ({ node }) => node,
    )
    spansUntil = now
    return mesh.nodes.flatMap((node) => {
      const emittedSpans = (byNode.get(node.name) ?? []).map((one) => sentSpan(one, fromMs, random))
      const all = [...emittedSpans, ...censuses(fromMs, now, random)]
      const parts = Array.from({ length: Math.ceil(all.length / perExport) }, (_, index) =>
        all.slice(index * perExport, (index + 1) * perExport),
      )
      return parts.map((part) => exportBytes(resourceOf(node), part))
    })
  }
  for (const name of names) await start(name)
  return {
    identities: () => identities,
    close: () => mesh.close(),
    /** Runs for `ms`, in steps of one churn, and returns the spans emitted meanwhile, as requests. */
    run: async (ms: number): Promise<readonly Buffer[]> => {
      const sent: Buffer[] = []
      for (let ran = 0; ran < ms; ran += churnMs) {
        mesh.run(churnMs)
        sent.push(...requests())
        const name = others[Math.floor(random() * others.length)] ?? ''
        if (random() < 0.5) mesh.kill(name)
        else await mesh.stop(name)
        await start(name)
      }
      return sent
    },
  }
}

function sentSpan({ span, at, attributes, ref, parent, links }: EmittedSpan, fromMs: number, random: Random): SentSpan {
  return {
    traceId: ref?.traceId ?? parent?.traceId ?? hex(random, 32),
    spanId: ref?.spanId ?? hex(random, 16),
    ...(parent && { parentSpanId: parent.spanId }),
    name: span,
    startMs: fromMs + at,
    attributes: attributes as Readonly<Record<string, SentValue>>,
    links,
    status: specOf(spans, span).failed === true ? 2 : 0,
  }
}

/** The census that a real node emits twice a minute; a node of the simulator does not. */
function censuses(fromMs: number, now: number, random: Random): SentSpan[] {
  const randomInt = (most: number) => Math.floor(random() * most)
  return Array.from({ length: churnMs / censusMs }, (_, index) => {
    const traceId = hex(random, 32)
    const startMs = fromMs + now - index * censusMs
    const span = (name: SpanName, attributes: Record<string, SentValue>) => {
      return { traceId, spanId: hex(random, 16), name, startMs, attributes }
    }
    const census = span('mesh.audit', {
      'process.memory.usage': (80 + randomInt(20)) * 1_048_576,
      'process.cpu.time': (0.0045 * (startMs - fromMs)) / 1_000,
      'mesh.telemetry.lost_total': 0,
      'mesh.audit.sweeps': Math.floor((startMs - fromMs) / 5_000),
      'mesh.audit.links': randomInt(9),
      'mesh.audit.members': randomInt(9),
      'mesh.audit.connections': randomInt(9),
    })
    return [
      census,
      ...registries.map((name) =>
        span(`mesh.audit.${name}`, {
          'mesh.registry.name': name,
          'mesh.registry.size': randomInt(100),
          'mesh.registry.capacity': 4_096,
        }),
      ),
    ]
  }).flat()
}

function resourceOf({ name, peer, incarnation }: SimNode): Record<string, SentValue> {
  return {
    'service.name': 'mesh-a',
    'service.instance.id': `${peer}/${incarnation}`,
    'mesh.id': 'mesh-a',
    'mesh.node.name': name,
    'mesh.node.role': seeds.includes(name) ? 'seed' : 'compute',
    'mesh.node.incarnation': incarnation,
    'mesh.peer.self': peer,
  }
}
