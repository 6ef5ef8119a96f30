import { setTimeout as sleep } from 'node:timers/promises'
import { alertNames, firesWithinMs } from '../../catalogue/alerts/alerts.ts'
import { Alertmanager, Prometheus } from '../../drill/stack-api.ts'
import { until } from '../../processes/waiting.ts'
import { type RunningStack, startStack } from '../../stack/bare.ts'
import { type LabProcess, startLabProcess } from '../../testing/cluster/command-process.ts'
import { endToEnd } from '../end-to-end.ts'
import { atLeast, atMost, each, equals, type ProofContext, type ProofResult } from '../proof.ts'
import { fromEnv, withStack } from './on-stack.ts'

/** QUIET_SECONDS and CHURN_SECONDS make them shorter. */
const quietSeconds = fromEnv('QUIET_SECONDS', 3_600)
const churnSeconds = fromEnv('CHURN_SECONDS', 3_600)
/** Of the churned hour: a node is away for a third of it, longer than its links may be silent. */
const churnEveryMs = 30_000
const pollMs = 300_000
/** Time for every target to be up, once the stack is ready. */
const startSeconds = 60
const meshes = ['mesh-a', 'mesh-b']
/** Two meshes of eight, and two bridges that belong to the first. */
const nodesOfLab = 18
const victimRole = 'compute'
/** Members of a mesh that count a goodbye: all but those that are away, or have not seen the node yet. */
const leastWitnesses = 6

export const proof = endToEnd({
  name: 'quiet-hour',
  about:
    'in an undisturbed hour of a lab, its start and late seeds included, no alert fires, nor in an hour in which nodes leave with a goodbye and come back; a node killed then fires one',
  quick: false,
  seconds: quietSeconds + churnSeconds + 300,
  run: (context) => withStack(context, () => runQuietHour(context)),
})

async function runQuietHour(context: ProofContext): Promise<ProofResult> {
  const { progress, signal, seed } = context
  await using stack = await startStack()
  const { otlp, jaeger } = stack.urls
  await using lab = await startLabProcess('--otlp', otlp, '--query', jaeger, '--seed', String(seed))
  const prometheus = new Prometheus(stack.urls.prometheus)
  const began = performance.now()
  const elapsed = () => Math.ceil((performance.now() - began) / 1_000)
  while (elapsed() < quietSeconds) {
    await sleep(Math.min(pollMs, 1_000 * quietSeconds), undefined, { signal })
    const [firing, pending] = await Promise.all([
      prometheus.alertsWithin(300, 'firing'),
      prometheus.alertsWithin(300, 'pending'),
    ])
    progress(`${elapsed()} s: ${firing.length} alerts fire, ${pending.length} are pending`)
  }
  const seconds = elapsed()
  const [rules, fired, pending, down] = [
    await prometheus.alertRules(),
    await prometheus.alertsWithin(seconds, 'firing'),
    await prometheus.alertsWithin(seconds, 'pending'),
    await prometheus.downWithin(Math.max(1, seconds - startSeconds)),
  ]
  // These cannot fire within this time.
  const tooSlow = alertNames.filter((name) => firesWithinMs(name) > 1_000 * seconds)
  const churned = await churn(lab, context)
  const churnedSeconds = elapsed() - seconds
  const knownNodes = await Promise.all(meshes.map((mesh) => prometheus.knownNodes(mesh)))
  const [firedInChurn, left, expired] = [
    await prometheus.alertsWithin(churnedSeconds, 'firing'),
    await prometheus.spansWithin('mesh.member.left', churnedSeconds),
    await prometheus.spansWithin('mesh.member.expired', churnedSeconds),
  ]
  progress(`${churned} stops and starts; ${left} goodbyes counted, ${expired} members expired; a node is killed`)
  const silentAfterMs = await timeUntilSilentAlert(lab, stack, signal)
  return {
    figures: {
      seconds,
      pending: [...new Set(pending.map(alertLabel))],
      tooSlow,
      churnedSeconds,
      churned,
      left,
      expired,
      silentAfterMs,
    },
    checks: [
      atLeast('quiet seconds', quietSeconds, seconds),
      equals('alerts that fired', '', [...new Set(fired.map(alertLabel))].join(', ')),
      equals(
        'evaluated rules, MeshWatchdog included',
        alertNames.length + 1,
        new Set(rules.map(({ name }) => name)).size,
      ),
      each('rules in health ok', 'all', rules, ({ health }) => health === 'ok'),
      equals('nodes whose spans were counted', nodesOfLab, knownNodes.flat().length),
      equals('targets that did not answer meanwhile', '', down.map(({ job }) => job).join(', ')),
      atLeast('stops of the churned hour', Math.floor((1_000 * churnSeconds) / churnEveryMs) - 1, churned),
      atLeast('goodbyes that others counted', churned * leastWitnesses, left),
      equals('members that expired in the churned hour', 0, expired),
      equals('alerts that fired in the churned hour', '', [...new Set(firedInChurn.map(alertLabel))].join(', ')),
      atMost('MeshNodeSilent fires for a node killed then after', firesWithinMs('MeshNodeSilent'), silentAfterMs, 'ms'),
    ],
  }
}

/** Stops a node in order, and starts it again before the next one is stopped; returns how often. */
async function churn(lab: LabProcess, { signal }: ProofContext): Promise<number> {
  const { nodes } = await lab.view()
  // Not the one that is killed afterwards: before its first census after a stop, a death looks like that stop.
  const isAway = (role: string) => role !== 'seed' && role !== 'bridge' && role !== victimRole
  const names = nodes.flatMap(({ name, role }) => (isAway(role) ? [name] : []))
  const endsAt = performance.now() + 1_000 * churnSeconds
  let stops = 0
  while (performance.now() + churnEveryMs <= endsAt) {
    const name = names[stops++ % names.length] ?? ''
    const nextAt = performance.now() + churnEveryMs
    await lab.act(name, 'stop')
    await sleep(churnEveryMs / 3, undefined, { signal })
    await lab.act(name, 'start')
    await sleep(Math.max(0, nextAt - performance.now()), undefined, { signal })
  }
  return stops
}

/** Kills a node; milliseconds until its alert fires. Throws after the stated time. */
async function timeUntilSilentAlert(lab: LabProcess, stack: RunningStack, signal: AbortSignal): Promise<number> {
  const { nodes } = await lab.view()
  const victim = nodes.find(({ role }) => role === victimRole)
  await lab.act(victim?.name ?? '', 'kill')
  const alertmanager = new Alertmanager(stack.urls.alertmanager)
  const isFiring = async () => (await alertmanager.state('MeshNodeSilent', undefined)) === 'firing'
  const limitMs = firesWithinMs('MeshNodeSilent')
  return Math.round(await until(isFiring, limitMs, 'the alert of a killed node', signal))
}

function alertLabel(labels: Readonly<Record<string, string>>): string {
  return [labels['alertname'], labels['mesh_node_name']].filter((label) => label !== undefined).join(' of ')
}
