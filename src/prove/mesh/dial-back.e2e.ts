import { loadavg } from 'node:os'
import type { Topology } from '../../kit/index.ts'
import { type Cluster, until } from '../../testing/cluster/cluster.ts'
import type { NodeProcess } from '../../testing/cluster/node-process.ts'
import type { Host } from '../../testing/netns/host.ts'
import type { Network } from '../../testing/netns/network.ts'
import type { ReceivedSpan } from '../../testing/otlp/otlp-receiver.ts'
import { endToEnd } from '../end-to-end.ts'
import { onNetwork } from '../network/on-network.ts'
import { atMost, equals, type ProofContext, type ProofResult } from '../proof.ts'

const listen = ['/ip4/0.0.0.0/udp/4001/quic-v1', '/ip4/0.0.0.0/tcp/4001']
const seedAt = ['/ip4/45.79.10.1/udp/4001/quic-v1', '/ip4/45.79.10.1/tcp/4001']
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
  const outside = (address: string) => ({ interface: 'eth0', lan: world, addresses: [`${address}/24`] })
  const public1 = await network.host('public')
  await public1.attach(outside('45.79.10.1'))
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
  const topology = (node: NodeProcess) => node.api<Topology>('/api/topology')
  const own = async (node: NodeProcess, address: string) =>
    (await topology(node)).addresses.find((one) => one.address === address)
  const at = (name: keyof typeof routers) => [
    `/ip4/${routers[name]}/udp/4001/quic-v1`,
    `/ip4/${routers[name]}/tcp/4001`,
  ]
  const startedAt = Date.now()
  const step = (what: string, holds: () => Promise<boolean>) =>
    until(
      () => {
        signal.throwIfAborted()
        return holds()
      },
      stepLimitMs,
      what,
    )

  progress('the mapped node requests dial-backs, and gets them over both transports')
  await step('both addresses of the mapped node announced', async () => {
    const states = await Promise.all(at('mapped').map((address) => own(mapped, address)))
    return states.every((one) => one?.state === 'announced')
  })
  const announcedMs = Date.now() - startedAt
  await step('the seed knows these addresses', async () => {
    const member = (await topology(seed)).members.find(({ name }) => name === 'mapped')
    return at('mapped').every((address) => member?.addresses.some((one) => one.startsWith(address)))
  })
  progress('dial-backs of the closed node fail')
  await step('both addresses of the closed node tried', async () => {
    const states = await Promise.all(at('closed').map((address) => own(closed, address)))
    return states.every((one) => one?.detail?.includes('could not dial it') === true)
  })
  const unconfirmed = await Promise.all(at('closed').map((address) => own(closed, address)))
  progress('the two nodes behind different routers link by the confirmed address')
  await step('the closed node has a link to the mapped one', async () =>
    (await topology(closed)).peers.some(({ peer, kind }) => peer === mapped.peer && kind === 'member'),
  )
  progress('a seed in a cloud, which dials no node, requests a dial-back from the node that dials it')
  const cloud = await cluster.node('cloud', { role: 'seed', host: cloudHost, listen })
  const visitorHost = await network.host('visitor')
  await visitorHost.attach(outside('45.79.10.4'))
  const cloudStartedAt = Date.now()
  const visitor = await cluster.node('visitor', { host: visitorHost, listen, seeds: at('cloud') })
  await step('both addresses of the cloud’s seed announced', async () => {
    const states = await Promise.all(at('cloud').map((address) => own(cloud, address)))
    return states.every((one) => one?.state === 'announced')
  })
  const cloudMs = Date.now() - cloudStartedAt
  const nodePeers = [seed, mapped, closed, cloud, visitor].map(({ peer }) => peer)
  const spans = (name: string, holds: (span: ReceivedSpan) => boolean = () => true) =>
    cluster.receiver.spans.filter((span) => span.name === name && holds(span))
  const unknownPeers = spans(
    'mesh.connection.opened',
    (span) => !nodePeers.includes(String(span.attributes['mesh.peer.id'])),
  )
  const dialBacks = spans('mesh.address.dialback').map(({ attributes, resource }) => ({
    node: resource['mesh.node.name'],
    ...attributes,
  }))
  const closes = spans('mesh.connection.closed').map(({ attributes, resource }) => ({
    node: resource['mesh.node.name'],
    ...attributes,
  }))
  const selfDials = spans('mesh.connection.opened', ({ attributes, resource }) => {
    return attributes['mesh.peer.id'] === resource['mesh.peer.self']
  })
  return {
    figures: { announcedMs, cloudMs, unconfirmed, dialBacks, closes, load: loadavg() },
    checks: [
      atMost('until the mapped addresses are announced', 30_000, announcedMs, 'ms'),
      atMost('until the addresses of a seed without dials are announced', 30_000, cloudMs, 'ms'),
      equals('state of the closed node’s address', 'unconfirmed', unconfirmed[0]?.state ?? ''),
      equals('connections of dial-backs in a ledger', 0, unknownPeers.length),
      equals('guests', 0, spans('mesh.connection.guest').length),
      equals('connections of a node to itself', 0, selfDials.length),
    ],
  }
}
