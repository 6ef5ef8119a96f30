import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { renderRules } from '../../catalogue/alerts/rules.ts'
import { Alertmanager } from '../../drill/stack-api.ts'
import { startStack } from '../../stack/bare.ts'
import { startCluster, until } from '../../testing/cluster/cluster.ts'
import { endToEnd } from '../end-to-end.ts'
import { startMesh } from '../mesh/mesh.ts'
import { atLeast, equals, type ProofContext, type ProofResult } from '../proof.ts'
import { stopAndAccount, watchAlerts, withStack } from './on-stack.ts'

/** Resolves the alert of the only give-up before Prometheus is wiped. */
const timeFactor = 0.1
const [giveupMs, resolvedMs, wipedMs] = [240_000, 300_000, 120_000]

export const proof = endToEnd({
  name: 'prometheus-wiped',
  about: 'Prometheus loses its database: no alert fires for it, not even that of an earlier give-up',
  quick: false,
  seconds: 480,
  run: (context) => withStack(context, () => wiped(context)),
})

/** After the alert of a give-up has resolved: its counter exists and must not fire again. */
async function wiped({ progress, signal }: ProofContext): Promise<ProofResult> {
  await using stack = await startStack({ rules: renderRules({ timeFactor }) })
  const fromMs = Date.now()
  await using cluster = await startCluster({ receiver: 'none', env: { MESH_OTLP: stack.urls.otlp } })
  await startMesh(cluster, 2)
  // Its second seed never answers.
  await cluster.node('lonely', { seeds: [cluster.address('seed'), '/ip4/127.0.0.1/tcp/1'] })
  {
    await using watch = watchAlerts(stack.urls.alertmanager)
    await until(() => watch.fired('mesh').includes('MeshSeedGiveup'), giveupMs, 'a give-up fires')
    progress('a give-up fires')
  }
  const alertmanager = new Alertmanager(stack.urls.alertmanager)
  await until(async () => (await alertmanager.all('active')).length === 0, resolvedMs, 'its alert resolves')
  await stack.stop('prometheus')
  await rm(join(stack.directory, 'prometheus'), { recursive: true })
  await stack.start('prometheus')
  progress(`Prometheus has lost its database; ${wipedMs / 1_000} s`)
  await using watch = watchAlerts(stack.urls.alertmanager)
  await sleep(wipedMs, undefined, { signal })
  const fired = [...watch.fired('mesh'), ...watch.fired('pipeline')]
  const polls = watch.polls()
  const { instances, checks } = await stopAndAccount(stack, cluster, fromMs)
  return {
    figures: { polls, instances },
    checks: [
      equals('alerts that fired after the wipe of Prometheus', '', fired.join(', ')),
      atLeast('polls of Alertmanager meanwhile', 10, polls),
      ...checks,
    ],
  }
}
