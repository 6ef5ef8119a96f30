import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../processes/waiting.ts'
import { TraceReader } from '../../traces/reader.ts'
import type { TraceSpan } from '../../traces/trace.ts'
import { endToEnd } from '../end-to-end.ts'
import { emitterOf, nameOf, spansNamed } from '../evidence.ts'
import { atMost, type Check, each, equals, notShown, type ProofContext } from '../proof.ts'
import { sh } from '../shell.ts'
import {
  type ComposeVersion,
  cloneWithChanges,
  composeCommand,
  containersOf,
  docker,
  remainingObjects,
  stackEnvironment,
} from './containers.ts'

/** The last commit whose stack had its settings in deploy/.env alone. */
const earlier = '936227b'
/** deploy/start.sh waits as long. */
const healthySeconds = 120
/** A span leaves its node within a second, and the Collector within five. */
const storedMs = 60_000
/** The Collector's batches of that commit, and more. */
const flushMs = 10_000

export const proof = endToEnd({
  name: 'stack-upgrade',
  about: `a stack that commit ${earlier} has started: the scripts of this commit take over its volumes, the spans that its Collector still queues, project and ports, with both versions of Compose`,
  quick: false,
  seconds: 300,
  async run(context) {
    const checks: Check[] = []
    for (const version of ['v1', 'v2'] as const) checks.push(...(await checkVersion(version, context)))
    return { figures: { earlier }, checks }
  },
})

async function checkVersion(version: ComposeVersion, context: ProofContext): Promise<Check[]> {
  const compose = await composeCommand(version, context.signal)
  if ('missing' in compose) return [notShown(`Compose ${version}`, 'present', compose.missing)]
  await using temporary = await mkdtempDisposable(join(tmpdir(), 'tracemesh-upgrade-'))
  // The clone of the new commit comes first: git applies its own changes to it.
  const clone = await cloneWithChanges(temporary.path, context.signal)
  const old = join(temporary.path, 'old')
  const env = await stackEnvironment(compose.command, `tracemesh-upgrade-${process.pid}`)
  const images = { ...env, TRACEMESH_IMAGE: `tracemesh/node:upgrade-${process.pid}` }
  const added = await sh(`git worktree add --quiet --detach ${old} ${earlier}`, clone, env, context.signal)
  if (added.code !== 0) return [notShown(`commit ${earlier}`, 'in this clone', added.output.trim())]
  try {
    return await upgrade({ old, clone, env: images, version }, context)
  } finally {
    const down = `deploy/stop.sh --delete-data >/dev/null 2>&1; docker image rm --force ${images.TRACEMESH_IMAGE}`
    await sh(`${down} >/dev/null 2>&1`, clone, images, new AbortController().signal)
  }
}

interface Upgrade {
  readonly old: string
  readonly clone: string
  readonly env: Readonly<Record<string, string>>
  readonly version: ComposeVersion
}

async function upgrade({ old, clone, env, version }: Upgrade, { signal, progress }: ProofContext): Promise<Check[]> {
  const project = env['COMPOSE_PROJECT_NAME'] ?? ''
  const reader = new TraceReader(`http://127.0.0.1:${env['JAEGER_UI_PORT']}`, { timeoutMs: 30_000 })
  const exits = (what: string, { code, output }: { readonly code: number | null; readonly output: string }): Check =>
    equals(`Compose ${version}: ${what}`, 'exit 0', code === 0 ? 'exit 0' : `exit ${code}: ${output.slice(-1_500)}`)
  progress(`Compose ${version}: commit ${earlier} starts`)
  const fromMs = Date.now()
  const before = await sh('deploy/build.sh --offline && deploy/start.sh --offline --nodes 1', old, env, signal)
  if (before.code !== 0) return [exits(`the start of ${earlier}`, before)]
  const seeds = () => startsOf(reader, fromMs)
  await until(async () => (await seeds()).length >= 2, storedMs, 'Jaeger has the start of both seeds', signal)
  const earlierStarts = await seeds()
  progress(`Compose ${version}: Jaeger is away, and the gateway says goodbye`)
  const queuedMs = await stopWhileJaegerIsAway(project, signal)
  const upgradedAt = Date.now()
  progress(`Compose ${version}: this commit takes over`)
  const built = await sh('deploy/build.sh --offline', clone, env, signal)
  // As after `git pull`: the project and the ports are those of the running stack.
  const started = await sh('deploy/start.sh --offline', clone, env, signal)
  const laterStarts = () => startsOf(reader, upgradedAt)
  await until(async () => (await laterStarts()).length >= 2, storedMs, 'both seeds have started again', signal)
  const queued = () => namesStopped(reader, queuedMs, upgradedAt)
  const arrives = async () => (await queued()).includes('a-gateway')
  await until(arrives, storedMs, 'the queue arrives', signal).catch(() => {})
  const queuedStops = await queued()
  const [all, later] = [await seeds(), await laterStarts()]
  const kept = new Set(all.map(({ spanId }) => spanId))
  const ids = (spans: readonly TraceSpan[]) => [...new Set(spans.map(emitterOf))].sort().join(' ')
  const containers = await containersOf(project)
  // From here on without any setting: the record has all.
  const { PATH = '', HOME = '' } = env
  const status = await sh('deploy/status.sh', clone, { PATH, HOME }, signal)
  const stop = await sh('deploy/stop.sh --delete-data', clone, { PATH, HOME }, signal)
  const remaining = await remainingObjects(project, ['container', 'network', 'volume'])
  const addresses = status.output.includes(`http://127.0.0.1:${env['PAGE_PORT']} `)
  return [
    exits(`the start of ${earlier}`, before),
    exits('deploy/build.sh', built),
    exits('deploy/start.sh', started),
    atMost(`Compose ${version}: until all are healthy`, healthySeconds, started.seconds, 's'),
    each('containers', 'none restarted by itself', containers, ({ restarts }) => restarts === 0),
    each('spans of the earlier seeds', 'still in Jaeger', earlierStarts, ({ spanId }) => kept.has(spanId)),
    equals('stops that only the queue of the earlier Collector had, in Jaeger', 'a-gateway', queuedStops.join(' ')),
    equals('peer ids of the seeds', ids(earlierStarts), ids(later)),
    equals('deploy/status.sh names the address of the stack', true, addresses),
    exits('deploy/stop.sh --delete-data', stop),
    equals('left by it', '', remaining.join(', ')),
  ]
}

/** Stops Jaeger, then the gateway of mesh-a, whose spans stay in the Collector's queue. Returns when. */
async function stopWhileJaegerIsAway(project: string, signal: AbortSignal): Promise<number> {
  const containers = await containersOf(project)
  const idOf = (service: string) => containers.find((one) => one.service === service)?.id ?? ''
  await docker('stop', idOf('jaeger'))
  const ms = Date.now()
  await docker('stop', idOf('a-gateway'))
  await sleep(flushMs, undefined, { signal })
  return ms
}

/** Names of the nodes of mesh-a that stopped within a time. */
async function namesStopped(reader: TraceReader, fromMs: number, toMs: number): Promise<readonly string[]> {
  const query = { service: 'mesh-a', span: 'mesh.node.stopped', fromMs, toMs, limit: 100 }
  const { traces } = await reader.find(query).catch(() => ({ traces: [] }))
  const spans = traces.flatMap((trace) => trace.spans)
  const stops = spansNamed(spans, 'mesh.node.stopped').filter(({ startMs }) => startMs >= fromMs && startMs < toMs)
  return [...new Set(stops.map(nameOf))].sort()
}

/** Starts of the seeds of mesh-a since `fromMs`. */
async function startsOf(reader: TraceReader, fromMs: number): Promise<readonly TraceSpan[]> {
  const query = { service: 'mesh-a', span: 'mesh.node.started', fromMs, toMs: Date.now() + 1_000, limit: 100 }
  const { traces } = await reader.find(query).catch(() => ({ traces: [] }))
  const starts = spansNamed(
    traces.flatMap(({ spans }) => spans),
    'mesh.node.started',
  )
  return starts.filter((span) => /^a-seed-/.test(nameOf(span)))
}
