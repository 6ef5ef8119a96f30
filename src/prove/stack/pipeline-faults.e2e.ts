import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startStack } from '../../stack/bare.ts'
import { type Cluster, type NodeProcess, startCluster, until } from '../../testing/cluster/cluster.ts'
import { endToEnd } from '../end-to-end.ts'
import { startMesh } from '../mesh/mesh.ts'
import { atLeast, atMost, type Check, equals, type ProofContext, type ProofResult, unrun } from '../proof.ts'
import { countedSpans, fromEnv, queueSize, stopAndAccount, watchAlerts, withStack } from './on-stack.ts'
import { type Faulty, type PipelineFault, pipelineFaults } from './pipeline-faults.ts'
import { smallDisk } from './small-disk.ts'

/** How long each fault lasts. FAULT_SECONDS makes it shorter: then alerts that take longer are not shown. */
const faultMs = 1_000 * fromEnv('FAULT_SECONDS', 600)
/** How long the Collector is away. KILL_SECONDS makes it shorter. */
const killMs = 1_000 * fromEnv('KILL_SECONDS', 600)
/** After the Collector's absence: an alert of silence caused by it would fire now. */
const afterMs = fromEnv('AFTER_SECONDS', 180) * 1_000
const diskMb = 64
/** A node emits `mesh.node.stalled` after a pause of more than a quarter of its staleness (30 s). */
const stallMs = 12_000
/** From the span to the alert: export, two flushes, scrape, evaluation, the wait of Alertmanager, and this poll. */
const ringMs = 90_000
const drainMs = 180_000
/** Until the alert of the fault itself fires: a disk fills slowly. */
const showsMs = 300_000
/** Two flushes of the Collector: the first creates a counter. */
const flushedMs = 11_000

export const proof = endToEnd({
  name: 'pipeline-faults',
  about:
    'archive disk full, Jaeger away, Jaeger refusing, disk of the queues full, Collector killed: Jaeger has every span afterwards, each is counted once, an alert about the mesh rings meanwhile, and those about the pipeline say what failed',
  quick: false,
  seconds: 600 + (pipelineFaults.length * faultMs + killMs + afterMs) / 1_000,
  run: (context) => withStack(context, () => onSmallDisks(context)),
})

async function onSmallDisks(context: ProofContext): Promise<ProofResult> {
  const [one, other] = [await smallDisk(diskMb), await smallDisk(diskMb)]
  if ('missing' in one) return unrun(context, 'a disk that can be filled', 'present', one.missing)
  if ('missing' in other) return unrun(context, 'a second disk', 'present', other.missing)
  await using queueDisk = one
  await using archiveDisk = other
  const dirs = { QUEUE_DIR: join(queueDisk.directory, 'queue'), SPANS_DIR: join(archiveDisk.directory, 'archive') }
  await using stack = await startStack({ env: { collector: dirs } })
  const faulty = { stack, queueDisk, archiveDisk }
  const living = await whileCollectorLives(faulty, context)
  const killed = await whileCollectorIsKilled(faulty, living.counted, context)
  return { figures: { ...living.figures, killed: killed.figures }, checks: [...living.checks, ...killed.checks] }
}

/** One mesh through all faults in which the Collector lives: then its counts are exact. */
async function whileCollectorLives(faulty: Faulty, context: ProofContext) {
  const { stack } = faulty
  const fromMs = Date.now()
  await using cluster = await startCluster({ receiver: 'none', env: { MESH_OTLP: stack.urls.otlp } })
  const [, ...others] = await startMesh(cluster, pipelineFaults.length)
  await sleep(20_000, undefined, { signal: context.signal })
  const checks: Check[] = []
  const fired: Record<string, unknown> = {}
  for (const [index, fault] of pipelineFaults.entries()) {
    const result = await duringFault(fault, faulty, others[index], context)
    checks.push(...result.checks)
    fired[fault.name] = result.fired
  }
  const account = await stopAndAccount(stack, cluster, fromMs)
  await sleep(flushedMs)
  const counted = await countedSpans(stack)
  checks.push(
    ...account.checks.map((check) => ({ ...check, what: `after all but the kill: ${check.what}` })),
    equals('spans that the Collector has counted, of those in Jaeger', account.spans.length, counted),
  )
  return { counted, checks, figures: { fired, spans: account.spans.length, counted, instances: account.instances } }
}

/** Causes a fault, stalls a node meanwhile, and ends the fault. */
async function duringFault(fault: PipelineFault, faulty: Faulty, node: NodeProcess | undefined, context: ProofContext) {
  if (node === undefined) throw new Error(`no node for the fault "${fault.name}"`)
  const { stack } = faulty
  const { progress, signal } = context
  await using watch = watchAlerts(stack.urls.alertmanager)
  progress(`${fault.name}, for ${faultMs / 1_000} s`)
  const beganMs = Date.now()
  const end = await fault.begin(faulty)
  await until(
    () => fault.hasBegun(watch.fired('pipeline')),
    Math.max(faultMs, showsMs),
    `the fault "${fault.name}" shows`,
  )
  await stall(node, signal)
  const rings = () => watch.nodesOf('MeshNodeStalled').includes(node.name)
  if (fault.countsMeanwhile) await until(rings, ringMs, `the alert of ${node.name} rings during "${fault.name}"`)
  await sleep(Math.max(0, beganMs + faultMs - Date.now()), undefined, { signal })
  await end()
  const drainedMs = await until(async () => (await queueSize(stack)) === 0, drainMs, 'the queue is empty')
  progress(`${fault.name} is over: the queue is empty after ${Math.round(drainedMs)} ms`)
  await until(rings, ringMs, `the alert of ${node.name} rings after "${fault.name}"`)
  const fired = { pipeline: watch.fired('pipeline'), mesh: watch.fired('mesh') }
  const expected = fault.alerts(faultMs)
  const wrong = fired.pipeline.filter((alert) => !expected.includes(alert) && !fault.mayFire.includes(alert))
  return {
    fired,
    checks: [
      ...expected.map((alert) => equals(`${fault.name}: ${alert}`, 'fired', stateOf(alert, fired.pipeline))),
      equals(`${fault.name}: other alerts about the pipeline`, '', wrong.join(', ')),
      equals(`${fault.name}: alerts about the mesh`, 'MeshNodeStalled', fired.mesh.join(', ')),
    ],
  }
}

function stateOf(alert: string, fired: readonly string[]): string {
  return fired.includes(alert) ? 'fired' : `only ${fired.join(', ') || 'nothing'} fired`
}

async function stall(node: NodeProcess, signal: AbortSignal): Promise<void> {
  node.pause()
  try {
    await sleep(stallMs, undefined, { signal })
  } finally {
    node.resume()
  }
}

/** Another mesh: what the Collector counted since its last scrape is lost with it. */
async function whileCollectorIsKilled({ stack }: Faulty, earlier: number, { progress, signal }: ProofContext) {
  const fromMs = Date.now()
  await using watch = watchAlerts(stack.urls.alertmanager)
  await using cluster: Cluster = await startCluster({ receiver: 'none', env: { MESH_OTLP: stack.urls.otlp } })
  const [, node] = await startMesh(cluster, 4, (name, options) =>
    cluster.node(name === 'seed' ? name : `later-${name}`, options),
  )
  if (node === undefined) throw new Error('no node to stall')
  await sleep(40_000, undefined, { signal })
  const before = (await countedSpans(stack)) - earlier
  const killedMs = Date.now()
  await stack.kill('collector')
  progress(`the Collector is killed for ${killMs / 1_000} s; it had counted ${before} spans`)
  await stall(node, signal)
  await sleep(killMs - stallMs, undefined, { signal })
  await stack.start('collector')
  const rings = () => watch.nodesOf('MeshNodeStalled').includes(node.name)
  await until(rings, ringMs + 60_000, `the alert of ${node.name} rings once the Collector is back`)
  progress(`the Collector is back, and the alert of meanwhile rings; ${afterMs / 1_000} s of observation`)
  await sleep(afterMs, undefined, { signal })
  const { spans, instances, checks } = await stopAndAccount(stack, cluster, fromMs)
  await sleep(flushedMs)
  const uncounted = spans.length - before - (await countedSpans(stack))
  // Two flushes, a second in the node, and the batch before the counters.
  const ended = spans.map(({ startMs, durationMs }) => startMs + durationMs)
  const latest = ended.filter((ms) => ms > killedMs - flushedMs - 2_000 && ms < killedMs).length
  const fired = { pipeline: watch.fired('pipeline'), mesh: watch.fired('mesh') }
  const [down, title] = ['MeshPipelineDown of mesh-spans', 'Collector killed']
  return {
    figures: { fired, spans: spans.length, before, uncounted, latest, instances },
    checks: [
      ...checks.map((check) => ({ ...check, what: `${title}: ${check.what}` })),
      atMost(`${title}: spans that no count has, of those between the last scrape and the kill`, latest, uncounted),
      // In its hands: two requests of nodes at the door.
      atLeast(`${title}: spans counted twice, as a negative number`, -latest, uncounted),
      ...(killMs < 120_000 ? [] : [equals(`${title}: ${down}`, 'fired', stateOf(down, fired.pipeline))]),
      equals(`${title}: alerts about the mesh`, 'MeshNodeStalled', fired.mesh.join(', ')),
    ],
  }
}
