import { setTimeout as sleep } from 'node:timers/promises'
import { startStack } from '../../stack/bare.ts'
import { startCluster, until } from '../../testing/cluster/cluster.ts'
import { endToEnd } from '../end-to-end.ts'
import { nameOf, spansNamed } from '../evidence.ts'
import { startMesh } from '../mesh/mesh.ts'
import { atLeast, each, equals, type ProofContext, type ProofResult, round } from '../proof.ts'
import { fromEnv, queueSize, stopAndAccount, watchAlerts, withStack } from './on-stack.ts'

/** OUTAGE_SECONDS makes it shorter. */
const outageMs = 1_000 * fromEnv('OUTAGE_SECONDS', 600)
/** Time without a Collector, in the middle: nodes queue their spans, long enough for alerts of silence. */
const awayMs = 240_000
/** An alert caused by the absence would fire now. */
const afterMs = 180_000
const nodes = 6
/** From Jaeger's return until the queue is empty; the Collector retries every ten seconds at most. */
const drainMs = 120_000

export const proof = endToEnd({
  name: 'pipeline-outage',
  about:
    'Jaeger is away for ten minutes, and the killed Collector for four of them: Jaeger has every span afterwards, and only alerts about the pipeline fire',
  quick: false,
  seconds: 180 + (outageMs + afterMs) / 1_000,
  run: (context) => withStack(context, () => outage(context)),
})

async function outage({ progress, signal }: ProofContext): Promise<ProofResult> {
  await using stack = await startStack()
  await using watch = watchAlerts(stack.urls.alertmanager)
  const fromMs = Date.now()
  await using cluster = await startCluster({ receiver: 'none', env: { MESH_OTLP: stack.urls.otlp } })
  await startMesh(cluster, nodes - 1)
  await sleep(20_000, undefined, { signal })
  progress(`${nodes} nodes emit spans; Jaeger stops for ${outageMs / 1_000} s`)
  await stack.stop('jaeger')
  await sleep(outageMs / 2, undefined, { signal })
  const atDeath = await queueSize(stack)
  progress(`${atDeath} spans are queued; the Collector is killed`)
  await stack.kill('collector')
  await sleep(Math.min(awayMs, outageMs / 2), undefined, { signal })
  await stack.start('collector')
  await sleep(Math.max(0, outageMs / 2 - awayMs), undefined, { signal })
  const atReturn = await queueSize(stack)
  progress(`${atReturn} spans are queued; Jaeger is started`)
  await stack.start('jaeger')
  const drainedMs = await until(async () => (await queueSize(stack)) === 0, drainMs, 'the queue is empty')
  progress(`the queue is empty after ${Math.round(drainedMs)} ms; ${afterMs / 1_000} s of observation`)
  await sleep(afterMs, undefined, { signal })
  progress('the nodes stop')
  const { spans, instances, checks } = await stopAndAccount(stack, cluster, fromMs)
  const stops = spansNamed(spans, 'mesh.node.stopped').map(nameOf)
  const fired = { pipeline: watch.fired('pipeline'), mesh: watch.fired('mesh') }
  return {
    figures: { fired, nodes, outageMs, atDeath, atReturn, drainedMs: round(drainedMs), spans: spans.length, instances },
    checks: [
      ...checks,
      each('the stop of a node', 'found', instances, ({ node }) => stops.includes(node)),
      atLeast('queued spans when the Collector was killed', 1, atDeath),
      atLeast('queued spans when Jaeger came back', atDeath, atReturn),
      // They fire after minutes.
      ...(outageMs < 600_000
        ? []
        : [
            equals('MeshPipelineDown of jaeger', 'fired', alertState(fired.pipeline, 'MeshPipelineDown of jaeger')),
            equals(
              'MeshPipelineDown of mesh-spans',
              'fired',
              alertState(fired.pipeline, 'MeshPipelineDown of mesh-spans'),
            ),
          ]),
      atLeast('polls of Alertmanager', outageMs / 10_000, watch.polls()),
      equals('alerts about the mesh that fired', '', fired.mesh.join(', ')),
    ],
  }
}

function alertState(alerts: readonly string[], alert: string): string {
  return alerts.includes(alert) ? 'fired' : `only ${alerts.join(', ') || 'nothing'} fired`
}
