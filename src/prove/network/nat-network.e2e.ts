import type { Topology } from '../../kit/views.ts'
import { endToEnd } from '../end-to-end.ts'
import { each } from '../proof.ts'
import type { HostedNode } from './mixed-network.e2e.ts'
import { runMixedHosts } from './mixed-network.e2e.ts'
import { addressesAt, listen, onNetwork } from './on-network.ts'

const seedAt = { ipv4: '45.79.10.1', ipv6: '2600:3c00::1' }
const router = { inside: ['10.88.0.254/24', 'fd88::fe/64'], outside: ['45.79.10.254/24', '2600:3c00::fe/64'] }

export const proof = endToEnd({
  name: 'nat-network',
  about:
    'the hosts of mixed-network, all behind one NAT, with a public seed: linked with each other, also without the seed',
  quick: false,
  seconds: 175,
  run: (context) =>
    onNetwork('nat-network', async (network, cluster) => {
      const [world, home] = [await network.lan('world'), await network.lan('home')]
      const host = await network.host('seed')
      const addresses = [`${seedAt.ipv4}/24`, `${seedAt.ipv6}/64`]
      await host.attach({ interface: 'eth0', lan: world, addresses })
      await network.natRouter('router', {
        inside: { lan: home, addresses: router.inside },
        outside: { lan: world, addresses: router.outside },
      })
      const seed = await cluster.node('seed', { role: 'seed', host, listen })
      const inner = (n: number) => `10.88.0.${n}/24`
      const site = {
        lan: home,
        ipv4: inner,
        bridged: inner,
        ipv6: (n: number) => `fd88::${n}/64`,
        onLink: [],
        gateways: router.inside.map((address) => address.replace(/\/.*/, '')),
        seeds: addressesAt(seedAt.ipv4, seedAt.ipv6),
      }
      const result = await runMixedHosts({ network, cluster, seed, site, watchedMs: 90_000, context })
      const spans = cluster.receiver.spans.filter(({ name }) => name.startsWith('mesh.address.'))
      const names = result.hostedNodes.map(({ node }) => node.name)
      const unconfirmedByNode = names.map((name) => {
        const own = spans.filter(({ resource }) => resource['mesh.node.name'] === name)
        return { name, unconfirmed: own.some(({ attributes }) => JSON.stringify(attributes).includes('unconfirmed')) }
      })
      return {
        figures: { ...result.figures, 'own addresses': await ownAddressesOf(result.hostedNodes) },
        checks: [
          ...result.checks,
          each(
            'nodes whose span names the address of the router as unconfirmed',
            'all',
            unconfirmedByNode,
            (one) => one.unconfirmed,
          ),
        ],
      }
    }),
})

async function ownAddressesOf(hostedNodes: readonly HostedNode[]): Promise<Record<string, unknown>> {
  const entries = hostedNodes.map(async ({ node }) => {
    const { addresses } = await node.api<Topology & { addresses?: unknown }>('/api/topology')
    return [node.name, addresses] as const
  })
  return Object.fromEntries(await Promise.all(entries))
}
