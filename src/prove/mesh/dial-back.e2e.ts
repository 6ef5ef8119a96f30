import type { SpanName } from '../../catalogue/spans.ts'
import { type Cluster, until } from '../../testing/cluster/cluster.ts'
import type { NodeProcess } from '../../testing/cluster/node-process.ts'
import type { Host } from '../../testing/netns/host.ts'
import type { Network } from '../../testing/netns/network.ts'
import { endToEnd } from '../end-to-end.ts'
import { emitterOf, nameOf, spansNamed } from '../evidence.ts'
import { addressesAt, hostAt, onNetwork } from '../network/on-network.ts'
import { atMost, equals, type ProofContext, type ProofResult } from '../proof.ts'
import { topologyOf } from './mesh.ts'

const listen = addressesAt('0.0.0.0')
const seedAt = addressesAt('45.79.10.1')
const routers = { mapped: '45.79.10.101', closed: '45.79.10.102', cloud: '45.79.10.103' }
const inner = '192.168.1.2'
const stepLimitMs = 60_000

/** The routers of the mapped node and of the cloud forward the port of their one host. */
const mapping = `
table ip mapping {
  chain arrive {
    type nat hook prerouting priority dstnat;
    iifname "outside" udp dport 4001 dnat to ${inner}
    iifname "outside" tcp dport 4001 dnat to ${inner}
  }
}
add rule ip nat pass iifname "outside" ip daddr ${inner} accept
`

export const proof = endToEnd({
  name: 'dial-back',
  about:
    'behind NAT: a node announces an address once a neighbour has dialled it back, and emits it as unconfirmed before',
  quick: false,
  seconds: 80,
  run: (context) => onNetwork('dial-back', (network, cluster) => play(context, network, cluster)),
})

async function play({ progress, signal }: ProofContext, network: Network, cluster: Cluster): Promise<ProofResult> {
  const world = await network.lan('world')
  const public1 = await hostAt(network, world, 'public', '45.79.10.1/24')
  const behind = async (name: keyof typeof routers): Promise<Host> => {
    const home = await network.lan(name)
    const router = await network.natRouter(`${name}-router`, {
      inside: { lan: home, addresses: ['192.168.1.1/24'] },
      outside: { lan: world, addresses: [`${routers[name]}/24`] },
    })
    if (name !== 'closed') await router.run(['nft', '-f', '-'], mapping)
    const host = await network.host(name)
    await host.attach({ interface: 'eth0', lan: home, addresses: [`${inner}/24`], gateways: ['192.168.1.1'] })
    return host
  }
  const [mappedHost, closedHost, cloudHost] = [await behind('mapped'), await behind('closed'), await behind('cloud')]
  const seed = await cluster.node('seed', { role: 'seed', host: public1, listen })
  const mapped = await cluster.node('mapped', { host: mappedHost, listen, seeds: seedAt })
  const closed = await cluster.node('closed', { host: closedHost, listen, seeds: seedAt })
  const own = async (node: NodeProcess, address: string) =>
    (await topologyOf(node)).addresses.find((one) => one.address === address)
  const ownStates = (node: NodeProcess, name: keyof typeof routers) =>
    Promise.all(addressesAt(routers[name]).map((address) => own(node, address)))
  const areAnnounced = async (node: NodeProcess, name: keyof typeof routers) =>
    (await ownStates(node, name)).every((one) => one?.state === 'announced')
  const step = (what: string, holds: () => Promise<boolean>) => until(holds, stepLimitMs, what, signal)
  const startedAt = Date.now()

  progress('the mapped node requests dial-backs, and gets them over both transports')
  await step('both addresses of the mapped node announced', () => areAnnounced(mapped, 'mapped'))
  const announcedMs = Date.now() - startedAt
  await step('the seed knows these addresses', async () => {
    const member = (await topologyOf(seed)).members.find(({ name }) => name === 'mapped')
    return addressesAt(routers.mapped).every((address) => member?.addresses.some((one) => one.startsWith(address)))
  })
  progress('dial-backs of the closed node fail')
  await step('both addresses of the closed node tried', async () => {
    return (await ownStates(closed, 'closed')).every((one) => one?.detail?.includes('could not dial it') === true)
  })
  const unconfirmed = await ownStates(closed, 'closed')
  progress('the two nodes behind different routers link by the confirmed address')
  await step('the closed node has a link to the mapped one', async () =>
    (await topologyOf(closed)).peers.some(({ peer, kind }) => peer === mapped.peer && kind === 'member'),
  )
  progress('a seed in a cloud, which dials no node, requests a dial-back from the node that dials it')
  const cloud = await cluster.node('cloud', { role: 'seed', host: cloudHost, listen })
  const visitorHost = await hostAt(network, world, 'visitor', '45.79.10.4/24')
  const cloudStartedAt = Date.now()
  const visitor = await cluster.node('visitor', { host: visitorHost, listen, seeds: addressesAt(routers.cloud) })
  await step('both addresses of the cloud’s seed announced', () => areAnnounced(cloud, 'cloud'))
  const cloudMs = Date.now() - cloudStartedAt
  const nodePeers = [seed, mapped, closed, cloud, visitor].map(({ peer }) => peer)
  const { spans } = cluster.receiver
  const opened = spansNamed(spans, 'mesh.connection.opened')
  const unknownPeers = opened.filter(({ attributes }) => !nodePeers.includes(String(attributes['mesh.peer.id'])))
  const selfDials = opened.filter((span) => span.attributes['mesh.peer.id'] === emitterOf(span))
  const attributesOf = (name: SpanName) =>
    spansNamed(spans, name).map((span) => ({ node: nameOf(span), ...span.attributes }))
  const [dialBacks, closes] = [attributesOf('mesh.address.dialback'), attributesOf('mesh.connection.closed')]
  return {
    figures: { announcedMs, cloudMs, unconfirmed, dialBacks, closes },
    checks: [
      atMost('until the mapped addresses are announced', 30_000, announcedMs, 'ms'),
      atMost('until the addresses of a seed without dials are announced', 30_000, cloudMs, 'ms'),
      equals('state of the closed node’s address', 'unconfirmed', unconfirmed[0]?.state ?? ''),
      equals('connections of dial-backs in a ledger', 0, unknownPeers.length),
      equals('guests', 0, spansNamed(spans, 'mesh.connection.guest').length),
      equals('connections of a node to itself', 0, selfDials.length),
    ],
  }
}
