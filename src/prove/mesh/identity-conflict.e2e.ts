import { cp, mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Cluster, until } from '../../testing/cluster/cluster.ts'
import type { Host } from '../../testing/netns/host.ts'
import type { Network } from '../../testing/netns/network.ts'
import { endToEnd } from '../end-to-end.ts'
import { nameOf, spansNamed } from '../evidence.ts'
import { addressesAt, hostAt, onNetwork } from '../network/on-network.ts'
import { atMost, equals, type ProofContext, type ProofResult } from '../proof.ts'
import { topologiesOf, topologyOf } from './mesh.ts'

/** Duration of the case with 32 superseded connections. */
const conflictMs = 175_000
const noticeLimitMs = 60_000
const afterRestartMs = 45_000
const listen = addressesAt('0.0.0.0')
const seeds = addressesAt('45.79.10.1')

export const proof = endToEnd({
  name: 'identity-conflict',
  about:
    'a key file copied to a second machine: each of the two and who hears from both detect it, with both addresses; restarts are no conflict, and the stop of one removes the other from no view',
  quick: false,
  seconds: 330,
  run: (context) => onNetwork('identity-conflict', (network, cluster) => play(network, cluster, context)),
})

async function play(network: Network, cluster: Cluster, { progress, signal }: ProofContext): Promise<ProofResult> {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'tracemesh-keys-'))
  const keys = directory.path
  const lan = await network.lan('public')
  const hostOf = (n: number) => hostAt(network, lan, `host-${n}`, `45.79.10.${n}/24`)
  const [h1, h2, h3, h4] = [await hostOf(1), await hostOf(2), await hostOf(3), await hostOf(4)]
  const start = (name: string, host: Host, key = name) =>
    cluster.node(name, { host, listen, seeds, env: { MESH_IDENTITY: join(keys, key) } })
  const seed = await cluster.node('seed', { role: 'seed', host: h1, listen })
  const node = await start('node', h2)
  const original = await start('original', h3)
  await until(async () => (await topologyOf(seed)).members.length >= 2, 60_000, 'two members', signal)

  progress('a restart on the same host after a crash, and one on another host')
  original.kill()
  await original.exited
  const again = await start('original', h3)
  await sleep(5_000)
  await again.stop()
  await copy(keys, 'original', 'moved')
  const moved = await start('moved', h4)
  await sleep(afterRestartMs)
  const conflicts = () => spansNamed(cluster.receiver.spans, 'mesh.identity.conflict')
  const afterRestarts = conflicts().length
  await moved.stop()

  progress('the same key file on two machines, with the same start count beside it')
  await copy(keys, 'moved', 'one')
  await copy(keys, 'moved', 'two')
  const one = await start('one', h3, 'one')
  const before = cluster.receiver.spans.length
  const two = await start('two', h4, 'two')
  const startedAt = Date.now()
  const detectedBy = () => new Set(conflicts().map(nameOf))
  const detectedAfterMs: Record<string, number> = {}
  for (const until = startedAt + conflictMs; Date.now() < until && !signal.aborted; await sleep(250)) {
    for (const name of detectedBy()) detectedAfterMs[name] ??= Date.now() - startedAt
  }
  const spans = cluster.receiver.spans.slice(before)
  const superseded = spansNamed(spans, 'mesh.connection.superseded')
  const perNode = Object.fromEntries([...Map.groupBy(superseded, nameOf)].map(([name, { length }]) => [name, length]))
  const lately = superseded.filter((span) => nameOf(span) === 'seed' && span.startMs > Date.now() - 60_000).length
  const addresses = conflicts().map(({ attributes }) => String(attributes['mesh.identity.addresses']))
  const both = addresses.filter((text) => text.includes('45.79.10.3') && text.includes('45.79.10.4')).length
  const errors = seed.log.filter(({ msg }) => msg === 'mesh.identity.conflict').length

  progress('one of the two stops: the other is a member')
  await two.stop()
  await sleep(20_000)
  const members = await topologiesOf([seed, node])
  const isMember = members.every((topology) => topology.members.some(({ peer }) => peer === one.peer))
  return {
    figures: {
      detectedAfterMs,
      perNode,
      addresses: [...new Set(addresses)].slice(0, 6),
      conflicts: addresses.length,
      errors,
    },
    checks: [
      equals('the two have one identity', true, one.peer === two.peer),
      equals('conflicts after restarts', 0, afterRestarts),
      ...['seed', 'one', 'two'].map((name) =>
        atMost(`${name} detects it within`, noticeLimitMs, detectedAfterMs[name] ?? Number.NaN, 'ms'),
      ),
      equals('spans that name both addresses', addresses.length, both),
      atMost('conflicts that one node logs in 175 s', 4, errors),
      ...['seed', 'node'].map((name) => atMost(`links superseded by ${name} in 175 s`, 20, perNode[name] ?? 0)),
      atMost('links superseded by the seed in the last minute', 4, lately),
      equals('the other one is a member 20 s after', true, isMember),
    ],
  }
}

/** Copies a key file and its start count. */
async function copy(directory: string, from: string, to: string): Promise<void> {
  for (const end of ['', '.incarnation']) await cp(join(directory, from + end), join(directory, to + end))
}
