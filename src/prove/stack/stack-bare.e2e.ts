import { setTimeout as sleep } from 'node:timers/promises'
import { startStack } from '../../stack/bare.ts'
import { serviceNames } from '../../stack/services.ts'
import { startCluster, until } from '../../testing/cluster/cluster.ts'
import { type LabProcess, startLabProcess } from '../../testing/cluster/command-process.ts'
import { endToEnd } from '../end-to-end.ts'
import { deathLimits } from '../mesh/mesh.ts'
import { equals, type ProofContext, type ProofResult } from '../proof.ts'
import { monitorChecks } from './monitor-checks.ts'
import { withStack } from './on-stack.ts'
import { runTraceChecks } from './trace-checks.ts'

/** Until membership is complete; the late seed starts after 20 s. */
const bootMs = 90_000
export const proof = endToEnd({
  name: 'stack-bare',
  about:
    'a lab in the stack without containers: Jaeger’s API alone has all expected traces of its meshes, and its Monitor tab rates and latencies of every kind of span',
  quick: false,
  seconds: 300,
  run: (context) => withStack(context, () => runBareStack(context)),
})

async function runBareStack(context: ProofContext): Promise<ProofResult> {
  await using stack = await startStack()
  const fromMs = Date.now()
  const { otlp, jaeger } = stack.urls
  // An observer whose only seed never answers; it starts first, since its give-up takes minutes.
  await using cluster = await startCluster({ receiver: 'none', env: { MESH_OTLP: otlp } })
  await cluster.node('a-observer-1', { role: 'observer', seeds: [cluster.address('nobody')] })
  await using lab = await startLabProcess('--otlp', otlp, '--query', jaeger, '--seed', String(context.seed))
  await removeTwoNodes(lab, context)
  const { checks, figures } = await runTraceChecks({ jaeger, fromMs }, context)
  const monitor = await monitorChecks(stack, context.signal)
  const dead = serviceNames.filter((name) => stack.pid(name) === undefined)
  return { figures, checks: [...checks, ...monitor, equals('services that ended by themselves', '', dead.join(', '))] }
}

/** Kills one node and stops another with goodbyes, once membership is complete. */
async function removeTwoNodes(lab: LabProcess, { progress, signal }: ProofContext): Promise<void> {
  const isComplete = async () => {
    const { nodes } = await lab.view()
    return nodes.length === 18 && nodes.every(({ counts, meshes }) => counts.members === (meshes.length > 1 ? 17 : 9))
  }
  await until(isComplete, bootMs, 'complete membership', signal)
  progress('membership is complete; one node is killed, another stopped')
  const { nodes } = await lab.view()
  const [victim, leaver] = nodes.filter(({ role }) => role === 'compute')
  await lab.act(victim?.name ?? '', 'kill')
  await lab.act(leaver?.name ?? '', 'stop')
  await sleep(deathLimits.expiredMs, undefined, { signal })
}
