import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { isRoutine } from '../../telemetry/sampling.ts'
import { startCluster } from '../../testing/cluster/cluster.ts'
import type { ReceivedSpan } from '../../testing/otlp/otlp-receiver.ts'
import { endToEnd } from '../end-to-end.ts'
import { nameOf, orphans, spanAccounts, spansNamed } from '../evidence.ts'
import { atLeast, atMost, each, equals, round } from '../proof.ts'

/** Until all links exist; spans of the start do not count for the day. */
const settleMs = 20_000
const measuredMs = 300_000
const day = 86_400_000 / measuredMs

const settings = {
  all: { MESH_TRACE_ROUTINE: '1' },
  tenth: { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.1' },
  rare: { MESH_TRACE_ROUTINE: '0' },
  off: { OTEL_TRACES_SAMPLER: 'always_off' },
} as const
type Name = keyof typeof settings
const names = Object.keys(settings) as readonly Name[]

export const proof = endToEnd({
  name: 'sampled',
  about:
    'four linked nodes for five minutes with all, a tenth and none of their routine spans, and always_off: rare spans arrive, numbers have no gap, and the volume of a day',
  quick: false,
  seconds: 360,
  async run({ progress, signal }) {
    await using cluster = await startCluster()
    await using resources = new AsyncDisposableStack()
    const proxies = new Map<Name, CountingProxy>()
    for (const name of names) proxies.set(name, resources.use(await startCountingProxy(cluster.receiver.endpoint)))
    for (const name of names) {
      const seeds = name === names[0] ? [] : [cluster.address(names[0] as string)]
      const env = { ...settings[name], MESH_OTLP: proxies.get(name)?.endpoint ?? '' }
      await cluster.node(name, { seeds, env })
    }
    await sleep(settleMs, undefined, { signal })
    const before = new Map(names.map((name) => [name, proxies.get(name)?.bytes() ?? 0]))
    const from = cluster.receiver.spans.length
    progress(`${names.length} nodes are linked; measuring for ${measuredMs / 1_000} s`)
    await sleep(measuredMs, undefined, { signal })
    const measured = cluster.receiver.spans.slice(from)
    const perDay = Object.fromEntries(
      names.map((name) => [name, volume(measured, name, (proxies.get(name)?.bytes() ?? 0) - (before.get(name) ?? 0))]),
    )
    await Promise.all(cluster.nodes().map((node) => node.stop()))
    const { spans } = cluster.receiver
    const of = (name: Name) => spans.filter((span) => nameOf(span) === name)
    const rare = (name: Name) =>
      new Set(
        of(name)
          .filter((span) => !isRoutineSpan(span))
          .map((span) => span.name),
      )
    return {
      figures: { perDay },
      checks: [
        each('spans that are missing, by mesh.seq', '0', spanAccounts(spans), ({ missing }) => missing === 0),
        equals('spans without their parent', 0, orphans(spans).length),
        equals('routine spans at a share of 0', 0, of('rare').filter(isRoutineSpan).length),
        atLeast('censuses at a share of 0', 9, spansNamed(of('rare'), 'mesh.audit').length),
        equals('starts and stops at a share of 0', 2, startsAndStops(of('rare'))),
        equals(
          'rare span names that are missing at a tenth',
          '',
          ['mesh.audit', 'mesh.member.joined', 'mesh.connection.opened', 'mesh.hello.received', 'mesh.node.step']
            .filter((name) => !rare('tenth').has(name as never))
            .join(),
        ),
        equals('spans with always_off', 0, of('off').length),
        equals('bytes with always_off', 0, proxies.get('off')?.bytes() ?? Number.NaN),
        atMost('spans at a share of 0 over all', 0.2, ratio(perDay, 'rare', 'all')),
      ],
    }
  },
})

function isRoutineSpan(span: ReceivedSpan): boolean {
  return isRoutine({ span: span.name, attributes: span.attributes } as never)
}

function startsAndStops(spans: readonly ReceivedSpan[]): number {
  return spansNamed(spans, 'mesh.node.started').length + spansNamed(spans, 'mesh.node.stopped').length
}

interface Volume {
  readonly spans: number
  readonly megabytes: number
}

function volume(spans: readonly ReceivedSpan[], name: Name, bytes: number): Volume {
  const count = spans.filter((span) => nameOf(span) === name).length
  return { spans: Math.round(count * day), megabytes: round((bytes * day) / 1e6) }
}

function ratio(perDay: Readonly<Record<string, Volume>>, part: Name, whole: Name): number {
  return round((perDay[part]?.spans ?? 0) / (perDay[whole]?.spans ?? 0))
}

interface CountingProxy extends AsyncDisposable {
  readonly endpoint: string
  /** Bytes sent to the receiver so far, HTTP/2 included. */
  bytes(): number
}

/** A way to a receiver that counts what goes along it. */
async function startCountingProxy(to: string): Promise<CountingProxy> {
  const { hostname, port } = new URL(to)
  const sockets = new Set<Socket>()
  let bytes = 0
  const server = createServer((near) => {
    const far = connect(Number(port), hostname)
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => near.destroy()).on('close', () => sockets.delete(socket))
    }
    near.on('data', (chunk) => {
      bytes += chunk.length
    })
    near.pipe(far).pipe(near)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bytes: () => bytes,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
