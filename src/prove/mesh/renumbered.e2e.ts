import { type Cluster, until } from '../../testing/cluster/cluster.ts'
import type { NodeProcess } from '../../testing/cluster/node-process.ts'
import type { Network } from '../../testing/netns/network.ts'
import { endToEnd } from '../end-to-end.ts'
import { spansNamed } from '../evidence.ts'
import { addressesAt, hostAt, onNetwork } from '../network/on-network.ts'
import { atMost, equals, type ProofContext, type ProofResult } from '../proof.ts'
import { isLinked, topologyOf } from './mesh.ts'

const listen = addressesAt('0.0.0.0')
const seedAt = addressesAt('45.79.10.1')
const stepLimitMs = 60_000
const knownLimitMs = 10_000

export const proof = endToEnd({
  name: 'renumbered',
  about:
    'an interface is renumbered, another comes late behind twenty bridges: others learn it within 10 s, and link again',
  quick: false,
  seconds: 100,
  run: (context) => onNetwork('renumbered', (network, cluster) => play(context, network, cluster)),
})

async function play({ progress, signal }: ProofContext, network: Network, cluster: Cluster): Promise<ProofResult> {
  const lan = await network.lan('public')
  const hosts = {
    seed: await hostAt(network, lan, 'seed', '45.79.10.1/24'),
    moved: await hostAt(network, lan, 'moved', '45.79.10.2/24'),
    third: await hostAt(network, lan, 'third', '45.79.10.3/24'),
  }
  const late = await network.host('late')
  await late.addContainerBridges(20)
  const seed = await cluster.node('seed', { role: 'seed', host: hosts.seed, listen })
  const start = (name: string, host: typeof late) => cluster.node(name, { host, listen, seeds: seedAt })
  const moved = await start('moved', hosts.moved)
  const third = await start('third', hosts.third)
  const lateNode = await start('late', late)
  const knows = async (node: NodeProcess, name: string, host: string) => {
    const member = (await topologyOf(node)).members.find((one) => one.name === name)
    return addressesAt(host).every((address) => member?.addresses.some((one) => one.startsWith(address)))
  }
  const step = (what: string, holds: () => Promise<boolean>) => until(holds, stepLimitMs, what, signal)

  await step('three nodes linked', async () => (await isLinked(moved, third)) && (await isLinked(third, seed)))
  progress('45.79.10.2 becomes 45.79.10.22')
  await hosts.moved.renumber('eth0', '45.79.10.2/24', '45.79.10.22/24')
  const movedMs = await step('the third node knows the new address', () => knows(third, 'moved', '45.79.10.22'))
  const relinkedMs = await step('both others linked again', async () => {
    return (
      (await isLinked(third, moved)) && (await isLinked(seed, moved)) && !(await knows(third, 'moved', '45.79.10.2'))
    )
  })
  progress('the node behind twenty bridges gets its public interface')
  await late.attach({ interface: 'wg0', lan, addresses: ['45.79.10.4/24'] })
  const lateMs = await step('the late node is linked with the third', () => isLinked(third, lateNode))
  const lateKnownMs = await step('the third node knows it', () => knows(third, 'late', '45.79.10.4'))
  progress('the seed is killed')
  seed.kill()
  await seed.exited
  const rest = [moved, third, lateNode]
  await step('the others are linked without it', async () => {
    const linked = await Promise.all(
      rest.flatMap((one) => rest.filter((other) => other !== one).map((other) => isLinked(one, other))),
    )
    return linked.every(Boolean)
  })
  const changes = spansNamed(cluster.receiver.spans, 'mesh.address.changed', 'moved')
  const { addresses } = await topologyOf(lateNode)
  return {
    figures: {
      movedMs,
      relinkedMs,
      lateMs,
      lateKnownMs,
      announcedByLate: addresses.filter(({ state }) => state === 'announced').map(({ address }) => address),
    },
    checks: [
      atMost('until others learn a new address', knownLimitMs, movedMs, 'ms'),
      atMost('until others learn the late address, once linked', knownLimitMs, lateKnownMs, 'ms'),
      equals('first address of the late node', '/ip4/45.79.10.4/udp/4001/quic-v1', addresses[0]?.address ?? ''),
      equals('spans for the change', 2, changes.length),
      equals(
        'the new address in its span',
        '/ip4/45.79.10.22/udp/4001/quic-v1,/ip4/45.79.10.22/tcp/4001',
        String(changes.at(-1)?.attributes['mesh.address.added']),
      ),
    ],
  }
}
