import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { isRoutine } from '../../telemetry/sampling.ts'
import { startCluster } from '../../testing/cluster/cluster.ts'
import type { ReceivedSpan } from '../../testing/otlp/otlp-receiver.ts'
import { endToEnd } from '../end-to-end.ts'
import { nameOf, orphans, spanAccounts, spansNamed } from '../evidence.ts'
import { atLeast, atMost, each, equals, round } from '../proof.ts'
import { startTcpServer } from './receiver-away-exit.e2e.ts'

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
const rareNames = [
  'mesh.audit',
  'mesh.member.joined',
  'mesh.connection.opened',
  'mesh.hello.received',
  'mesh.node.step',
] as const
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
    for (const name of names) {
      const proxy = resources.use(await startCountingProxy(cluster.receiver.endpoint))
      proxies.set(name, proxy)
      const seeds = name === names[0] ? [] : [cluster.address(names[0] as string)]
      await cluster.node(name, { seeds, env: { ...settings[name], MESH_OTLP: proxy.endpoint } })
    }
    await sleep(settleMs, undefined, { signal })
    const bytesOf = (name: Name) => proxies.get(name)?.bytes() ?? Number.NaN
    const before = new Map(names.map((name) => [name, bytesOf(name)]))
    const from = cluster.receiver.spans.length
    progress(`${names.length} nodes are linked; measuring for ${measuredMs / 1_000} s`)
    await sleep(measuredMs, undefined, { signal })
    const measured = cluster.receiver.spans.slice(from)
    const perDay = Object.fromEntries(
      names.map((name) => [name, volume(measured, name, bytesOf(name) - (before.get(name) ?? 0))]),
    )
    await Promise.all(cluster.nodes().map((node) => node.stop()))
    const { spans } = cluster.receiver
    const of = (name: Name) => spans.filter((span) => nameOf(span) === name)
    const missingRare = rareNames.filter((name) => !spansNamed(of('tenth'), name).some((span) => !isRoutineSpan(span)))
    return {
      figures: { perDay },
      checks: [
        each('spans that are missing, by mesh.seq', '0', spanAccounts(spans), ({ missing }) => missing === 0),
        equals('spans without their parent', 0, orphans(spans).length),
        equals('routine spans at a share of 0', 0, of('rare').filter(isRoutineSpan).length),
        atLeast('censuses at a share of 0', 9, spansNamed(of('rare'), 'mesh.audit').length),
        equals('starts and stops at a share of 0', 2, startsAndStops(of('rare'))),
        equals('rare span names that are missing at a tenth', '', missingRare.join()),
        equals('spans with always_off', 0, of('off').length),
        equals('bytes with always_off', 0, bytesOf('off')),
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

type CountingProxy = Awaited<ReturnType<typeof startCountingProxy>>

/** A way to a receiver that counts the bytes sent to it, HTTP/2 included. */
async function startCountingProxy(to: string) {
  const { hostname, port } = new URL(to)
  let bytes = 0
  const server = await startTcpServer((near) => {
    const far = connect(Number(port), hostname).on('error', () => near.destroy())
    near
      .on('close', () => far.destroy())
      .on('data', (chunk) => {
        bytes += chunk.length
      })
    near.pipe(far).pipe(near)
  })
  return { ...server, bytes: () => bytes }
}
