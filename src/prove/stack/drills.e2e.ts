import { alertNames, firesWithinMs } from '../../catalogue/alerts/alerts.ts'
import { renderRules } from '../../catalogue/alerts/rules.ts'
import { DrillProcesses } from '../../drill/drill-processes.ts'
import { type DrillResult, resultLine, resultText, seconds } from '../../drill/judge.ts'
import { runDrills } from '../../drill/run.ts'
import { Alertmanager } from '../../drill/stack-api.ts'
import { systemClock } from '../../kit/clock.ts'
import { until } from '../../processes/waiting.ts'
import { type RunningStack, startStack } from '../../stack/bare.ts'
import { TraceReader } from '../../traces/reader.ts'
import { endToEnd } from '../end-to-end.ts'
import { atMost, type Check, each, equals, type ProofContext } from '../proof.ts'
import { withStack } from './on-stack.ts'

/** Factor on windows, `for` and `keep_firing_for` of the rules, which have lower bounds. */
const timeFactor = 0.03
/** Sampled share of the nodes' routine spans: no alert may need them. */
const traceRoutine = 0.1
/** Size of the Collector's queue, so that it fills within seconds: the smallest one that is allowed. */
const queueItems = 100_000
/** From the first attempt of a campaign to its last, each refused at once: its waits are 151 s at most. */
const giveupMs = 180_000
/** Limit until the first give-up ever fires, with the shipped rules. */
const firstGiveupMs = 60_000
const totalSeconds = 900

export const proof = endToEnd({
  name: 'drills',
  about: `every alert fires within its stated time, silent before and resolved after (time factor ${timeFactor}, a share of ${traceRoutine} of routine spans); with the shipped rules, the first give-up ever fires within ${seconds(firstGiveupMs)}`,
  quick: false,
  seconds: totalSeconds,
  run: (context) =>
    withStack(context, async () => {
      const first = await onStack(1, (stack) => firstGiveup(stack, context))
      const { results, links } = await onStack(timeFactor, (stack) => drillAll(stack, context))
      const checks = [...first.checks, ...results.map(checkOf), links]
      return { figures: { timeFactor, traceRoutine, firstGiveup: first.figures, results }, checks }
    }),
})

async function onStack<T>(factor: number, run: (stack: RunningStack) => Promise<T>): Promise<T> {
  await using stack = await startStack({
    rules: renderRules({ timeFactor: factor }),
    env: { collector: { QUEUE_ITEMS: String(queueItems) } },
  })
  return await run(stack)
}

/** On its own stack, since the first counts: with the shipped rules and a database without any give-up. */
async function firstGiveup({ urls }: RunningStack, { signal, progress }: ProofContext) {
  const alert = 'MeshSeedGiveup'
  const crew = new DrillProcesses({ otlp: urls.otlp, clock: systemClock, log: progress })
  try {
    const mesh = await crew.mesh('drill-first', 2, false)
    const alertmanager = new Alertmanager(urls.alertmanager)
    const [, node] = mesh.nodes
    const giveUp = node?.waitForLog('mesh.seed.giveup', giveupMs)
    await mesh.start(mesh.nodes.slice(1), '--seed', '/ip4/127.0.0.1/tcp/1')
    progress(`a node has a seed that never answers; within ${seconds(giveupMs)} it gives up`)
    await giveUp
    const before = await alertmanager.state(alert, mesh.id)
    const isFiring = async () => (await alertmanager.state(alert, mesh.id)) === 'firing'
    const afterMs = Math.round(await until(isFiring, 2 * firstGiveupMs, 'the first give-up fires', signal))
    progress(`the first give-up fired after ${seconds(afterMs)}`)
    const checks: Check[] = [
      equals('before the first give-up the alert', 'inactive', before),
      atMost('the first give-up ever fires after', firstGiveupMs, afterMs, 'ms'),
      atMost('that is within the stated time', firesWithinMs(alert), afterMs, 'ms'),
    ]
    return { figures: { afterMs }, checks }
  } finally {
    await crew.close()
  }
}

async function drillAll(stack: RunningStack, { signal, progress }: ProofContext) {
  const { otlp, prometheus, alertmanager } = stack.urls
  const options = { alerts: alertNames, otlp, prometheus, alertmanager, timeFactor, traceRoutine, atOnce: 4 }
  const onResult = (result: DrillResult) => progress(resultLine(result))
  const results = await runDrills({ ...options, stack, signal, log: progress, onResult })
  return { results, links: await checkAlertLinks(results, stack.urls.jaeger) }
}

function checkOf(result: DrillResult): Check {
  const { alert, verdict, statedMs } = result
  const holds = verdict === 'not shown' ? 'not shown' : result.ok
  return { what: alert, want: `within ${seconds(statedMs)}, and resolved`, got: resultText(result), holds }
}

/** The search of a link to Jaeger's search page, in the terms of its API. */
interface Search {
  readonly service: string
  readonly span?: string
  readonly attributes: Readonly<Record<string, string>>
}

/** Undefined for a link without a search, as in the alerts about the pipeline. */
function searchOf(link: string): Search | undefined {
  const { searchParams: parameters } = new URL(link)
  const [service, span] = [parameters.get('service'), parameters.get('operation')]
  if (service === null) return undefined
  return {
    service,
    ...(span !== null && { span }),
    attributes: JSON.parse(parameters.get('tags') ?? '{}') as Record<string, string>,
  }
}

/** Checks that each firing alert has a link without a search, or one whose search finds traces. */
async function checkAlertLinks(results: readonly DrillResult[], jaeger: string): Promise<Check> {
  const reader = new TraceReader(jaeger, { timeoutMs: 30_000 })
  const fired = results.filter(({ firedAfterMs }) => firedAfterMs !== null)
  const linkResults = await Promise.all(
    fired.map(async ({ alert, traces }) => ({ alert, traces, leads: await hasWorkingLink(reader, traces) })),
  )
  return each('alerts that fired whose links lead nowhere', 'none', linkResults, ({ leads }) => leads)
}

async function hasWorkingLink(reader: TraceReader, links: readonly string[]): Promise<boolean> {
  const toMs = Date.now() + 60_000
  for (const link of links) {
    const search = searchOf(link)
    if (search === undefined) return true
    const { traces } = await reader.find({ ...search, fromMs: toMs - 2 * 86_400_000, toMs, limit: 5 })
    if (traces.length > 0) return true
  }
  return false
}
