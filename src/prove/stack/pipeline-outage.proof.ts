import { setTimeout as sleep } from 'node:timers/promises'
import { startStack } from '../../stack/bare.ts'
import { type Cluster, startCluster, until } from '../../testing/cluster.ts'
import { each } from '../checks.ts'
import { atLeast, equals, type Proof, type ProofContext, type ProofResult, round } from '../proof.ts'
import { AlertWatch } from './alert-watch.ts'
import { accountsOf, allSpans, queueSize } from './jaeger-spans.ts'
import { fromEnv, withStack } from './needs.ts'

/** OUTAGE_SECONDS makes it shorter. */
const outageMs = 1_000 * fromEnv('OUTAGE_SECONDS', 600)
/** Without a Collector, in the middle of it: nodes keep what they have to say, and long enough for alerts of silence. */
const awayMs = 240_000
/** Nothing is held back any more: an alert that was made of the absence would ring now. */
const afterMs = 180_000
const nodes = 6
/** From Jaeger's return until the queue is empty; the Collector looks every ten seconds at the latest. */
const drainMs = 120_000

export const proof: Proof = {
  name: 'pipeline-outage',
  about:
    'Jaeger is away for ten minutes and the Collector is killed meanwhile, and away for four: every span is found afterwards, and alerts ring for the way of the spans alone',
  quick: false,
  seconds: 180 + (outageMs + afterMs) / 1_000,
  run: (context) =>
    withStack(['jaeger', 'otelcol-contrib', 'prometheus', 'alertmanager'], context, () => outage(context)),
}

async function outage({ progress, signal }: ProofContext): Promise<ProofResult> {
  await using stack = await startStack()
  await using watch = new AlertWatch(stack.urls.alertmanager)
  const fromMs = Date.now()
  await using cluster = await startCluster({ receiver: 'none', env: { MESH_OTLP: stack.urls.otlp } })
  const names = await meshOf(cluster)
  await sleep(20_000, undefined, { signal })
  progress(`${nodes} nodes tell; Jaeger stops for ${outageMs / 1_000} s`)
  await stack.stop('jaeger')
  await sleep(outageMs / 2, undefined, { signal })
  const atDeath = await queueSize(stack)
  progress(`${atDeath} spans wait; the Collector is killed`)
  await stack.kill('collector')
  await sleep(Math.min(awayMs, outageMs / 2), undefined, { signal })
  await stack.start('collector')
  await sleep(Math.max(0, outageMs / 2 - awayMs), undefined, { signal })
  const atReturn = await queueSize(stack)
  progress(`${atReturn} spans wait; Jaeger is started`)
  await stack.start('jaeger')
  const drainedMs = await until(async () => (await queueSize(stack)) === 0, drainMs, 'the queue is empty')
  progress(`the queue is empty after ${Math.round(drainedMs)} ms; ${afterMs / 1_000} s of quiet`)
  await sleep(afterMs, undefined, { signal })
  progress('the nodes stop')
  const ends = await Promise.all(
    cluster.nodes().map(async (node) => ({ name: node.name, code: await node.stop(), log: node.log })),
  )
  const lines = ends.flatMap(({ log }) => log)
  const spans = await allSpans(stack, fromMs, names.length)
  const instances = accountsOf(spans)
  const rang = { pipeline: watch.rang('pipeline'), mesh: watch.rang('mesh'), heldBack: watch.heldBack('mesh') }
  return {
    figures: { rang, nodes, outageMs, atDeath, atReturn, drainedMs: round(drainedMs), spans: spans.length, instances },
    checks: [
      equals('nodes that told', nodes, instances.length),
      each('spans of a node that are missing, by mesh.seq', 'none', instances, ({ missing }) => missing === 0),
      each('the last word of a node', 'found', instances, ({ stopped }) => stopped),
      atLeast('spans that waited when the Collector was killed', 1, atDeath),
      atLeast('spans that waited when Jaeger came back', atDeath, atReturn),
      equals('nodes that say they lost some', 0, lines.filter(({ msg }) => /lost/.test(String(msg))).length),
      // They are told after minutes.
      ...(outageMs < 600_000
        ? []
        : [
            equals('that Jaeger is away', 'rang', alertState(rang.pipeline, 'MeshPipelineDown of jaeger')),
            equals('that the Collector is away', 'rang', alertState(rang.pipeline, 'MeshPipelineDown of mesh-spans')),
            equals(
              'that the nodes tell nothing',
              'held back',
              alertState(rang.heldBack, 'MeshNodeSilent', 'held back'),
            ),
          ]),
      atLeast('looks at Alertmanager', outageMs / 10_000, watch.looks),
      equals('alerts about the mesh that rang', '', rang.mesh.join(', ')),
      each('exit code of a node', '0', ends, ({ code }) => code === 0),
    ],
  }
}

function alertState(seen: readonly string[], alert: string, how = 'rang'): string {
  return seen.includes(alert) ? how : `only ${seen.join(', ') || 'nothing'} ${how}`
}

async function meshOf(cluster: Cluster): Promise<readonly string[]> {
  const names = Array.from({ length: nodes }, (_, index) => `node-${index + 1}`)
  const [first = ''] = names
  for (const name of names)
    await cluster.node(name, name === first ? { role: 'seed' } : { seeds: [cluster.address(first)] })
  return names
}
