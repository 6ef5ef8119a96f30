import { isDeepStrictEqual } from 'node:util'
import { jaegerVersion, stackBinary } from '../../stack/binaries.ts'
import { exportBytes, otlpClient } from '../../store/otlp-client.ts'
import { startStore } from '../../store/store.ts'
import { playedMinute, playedNodes } from '../../testing/otlp/lab-spans.ts'
import { type RunningJaeger, startJaeger } from '../../testing/stack/jaeger.ts'
import { until } from '../../testing/until.ts'
import { TraceReader } from '../../traces/reader.ts'
import { endToEnd } from '../end-to-end.ts'
import { type Check, equals, type ProofContext } from '../proof.ts'
import { compareAnswers, type Side } from './answers-compared.ts'
import { oddExports } from './odd-spans.ts'

/** Minutes of spans in both stores. */
const minutes = 3
const seconds = 30
const settleMs = 15_000

export const proof = endToEnd({
  name: 'jaeger-differential',
  about: `the pocket store answers the same queries as Jaeger ${jaegerVersion} does, after the same spans`,
  quick: false,
  seconds,
  async run(context) {
    const binary = await stackBinary('jaeger')
    if ('missing' in binary) {
      context.progress(`NOT SHOWN: ${binary.missing}`)
      return {
        figures: binary,
        checks: [{ what: 'Jaeger to compare with', want: jaegerVersion, got: binary.missing, holds: 'not shown' }],
      }
    }
    const jaeger = await startJaeger(binary.path)
    try {
      return await compareStores(jaeger, context)
    } finally {
      await jaeger.stop()
    }
  },
})

async function compareStores(jaeger: RunningJaeger, { random }: ProofContext) {
  const bounds = { maxSpans: 100_000, maxBytes: 64_000_000, maxAgeMs: 3_600_000 }
  const store = await startStore({ otlp: '127.0.0.1:0', http: '127.0.0.1:0', file: ':memory:', ...bounds })
  try {
    const fromMs = Math.floor(Date.now()) - minutes * 60_000
    const nodes = playedNodes(random)
    const lab = Array.from({ length: minutes }, (_, minute) =>
      nodes.map(({ resource }) => exportBytes(resource, playedMinute(nodes, minute, fromMs + minute * 60_000, random))),
    ).flat()
    const exports = [...lab, ...oddExports(fromMs)]
    for (const url of [store.otlpUrl, jaeger.otlpUrl]) await feed(url, exports)
    const sides: readonly [Side, Side] = [
      { url: store.queryUrl, reader: new TraceReader(store.queryUrl) },
      { url: jaeger.queryUrl, reader: new TraceReader(jaeger.queryUrl) },
    ]
    const toMs = fromMs + minutes * 60_000
    let counts: readonly Record<string, number>[] = []
    const haveSameCounts = async () => {
      counts = await askBoth(sides, (side) => spanCounts(side, fromMs, toMs))
      return Object.keys(counts[0] ?? {}).length > 0 && isDeepStrictEqual(counts[0], counts[1])
    }
    // Jaeger stores acknowledged spans in batches.
    await until(haveSameCounts, settleMs, 'both have as many spans of each service').catch(() => {})
    const results = await compareAnswers(sides, fromMs, toMs)
    const checks: Check[] = [
      equals(
        'spans of each service',
        JSON.stringify(counts[0] ?? 'not counted'),
        JSON.stringify(counts[1] ?? 'not counted'),
      ),
      ...results.map(({ what, difference }) => equals(what, 'the same', difference ?? 'the same')),
    ]
    return {
      figures: { exports: exports.length, spans: counts[0], questions: results.length, jaeger: jaegerVersion },
      checks,
    }
  } finally {
    await store.close()
  }
}

/** Number of spans by service, over all traces that a search returns. */
async function spanCounts({ reader }: Side, fromMs: number, toMs: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const service of (await reader.services()).toSorted()) {
    const { traces, partial } = await reader.find({ service, fromMs, toMs, limit: 1_000 })
    if (partial !== undefined) throw new Error(`not all of ${service} can be counted: ${partial}`)
    counts[service] = traces.reduce((sum, { spans }) => sum + spans.length, 0)
  }
  return counts
}

async function feed(url: string, exports: readonly Buffer[]): Promise<void> {
  const client = otlpClient(url)
  for (const body of exports) {
    const { code, details } = await client.send(body)
    if (code !== 0) throw new Error(`${url} answered an export with ${code}: ${details}`)
  }
  client.close()
}

function askBoth<T>(sides: readonly [Side, Side], ask: (side: Side) => Promise<T>): Promise<[T, T]> {
  return Promise.all([ask(sides[0]), ask(sides[1])])
}
