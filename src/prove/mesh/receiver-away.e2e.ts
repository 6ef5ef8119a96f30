import { setTimeout as sleep } from 'node:timers/promises'
import { type NodeProcess, startCluster, until } from '../../testing/cluster/cluster.ts'
import { endToEnd } from '../end-to-end.ts'
import { missingSpans, spanAccounts, spansNamed } from '../evidence.ts'
import { atLeast, atMost, each, equals, round } from '../proof.ts'
import { testProgram } from '../shell.ts'

const load = testProgram('otlp/span-load.ts')
/** Additional spans per second of the busy node. */
const perSecond = 50
const settleMs = 30_000
const awayMs = 120_000
/** 15 s between export attempts at most, 5 s for a sweep, 10 s for the export of the queue. */
const returnLimitMs = 15_000 + 5_000 + 10_000
const maxGrowthMb = 32

/** Interval of memory samples, in milliseconds. */
const sampleIntervalMs = 1_000

export const proof = endToEnd({
  name: 'receiver-away',
  about: 'the trace receiver is away for 2 minutes: no span is lost, and no node grows by more than 32 MB',
  quick: false,
  seconds: 185,
  async run({ progress, signal }) {
    await using cluster = await startCluster()
    const { receiver } = cluster
    const seeds = [cluster.address('seed')]
    const nodes = [
      await cluster.node('seed', { role: 'seed' }),
      await cluster.node('idle', { seeds }),
      await cluster.node('busy', { seeds, entry: load }),
    ]
    nodes[2]?.send({ perSecond })
    progress(`three nodes, one of which emits ${perSecond} more spans per second, for ${settleMs / 1_000} s`)
    await highestRss(nodes, settleMs - 5_000, signal)
    const before = await highestRss(nodes, 5_000, signal)

    progress(`the receiver stops for ${awayMs / 1_000} s`)
    await receiver.stop()
    const stoppedAt = Date.now()
    const during = await highestRss(nodes, awayMs, signal)
    const backAt = Date.now()
    await receiver.restart()
    progress('the receiver is back')
    const newSpans = () => receiver.spans.filter(({ endMs }) => endMs > backAt)
    const emitters = () => new Set(newSpans().map(({ resource }) => resource['mesh.node.name']))
    const tookMs = await until(() => emitters().size === nodes.length, returnLimitMs, 'spans of all nodes arrive again')
    const exits = await Promise.all(nodes.map((node) => node.stop()))

    const away = receiver.spans.filter(({ endMs }) => endMs > stoppedAt && endMs < backAt)
    const accounts = spanAccounts(receiver.spans)
    const growth = nodes.map(({ name }) => ({ name, mb: round((during[name] ?? Number.NaN) - (before[name] ?? 0)) }))
    return {
      figures: { accounts, before, during, growth, 'spans emitted while away': away.length, tookMs },
      checks: [
        equals('processes that emitted spans', nodes.length, accounts.length),
        equals('spans missing', 0, missingSpans(receiver.spans)),
        equals('mesh.telemetry.lost', 0, spansNamed(receiver.spans, 'mesh.telemetry.lost').length),
        atLeast('spans emitted while it was away', (perSecond * awayMs * 0.9) / 1_000, away.length),
        ...growth.map(({ name, mb }) => atMost(`growth of ${name}`, maxGrowthMb, mb, 'MiB')),
        each('exit codes', '0', exits, (code) => code === 0),
      ],
    }
  },
})

/** Samples the memory of processes for `ms`; returns the highest resident set of each, in MiB, by name. */
async function highestRss(nodes: readonly NodeProcess[], ms: number, signal: AbortSignal) {
  const highest: Record<string, number> = {}
  const until = performance.now() + ms
  do {
    for (const node of nodes) highest[node.name] = Math.max(highest[node.name] ?? 0, (await node.usage()).rssMb)
    await sleep(Math.max(0, Math.min(sampleIntervalMs, until - performance.now())), undefined, { signal })
  } while (performance.now() < until)
  return highest
}
