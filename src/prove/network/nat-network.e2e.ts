import { endToEnd } from '../end-to-end.ts'
import { nameOf } from '../evidence.ts'
import { topologyOf } from '../mesh/mesh.ts'
import { each } from '../proof.ts'
import { runMixedHosts } from './mixed-network.e2e.ts'
import { addressesAt, hostAt, listen, onNetwork } from './on-network.ts'

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
      const host = await hostAt(network, world, 'seed', `${seedAt.ipv4}/24`, `${seedAt.ipv6}/64`)
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
        watchedMs: 90_000,
      }
      const result = await runMixedHosts(network, cluster, seed, site, context)
      const others = cluster.nodes().filter((node) => node !== seed)
      const unconfirmed = cluster.receiver.spans.filter(({ name, attributes }) => {
        return name.startsWith('mesh.address.') && JSON.stringify(attributes).includes('unconfirmed')
      })
      const nodes = others.map(({ name }) => ({ name, unconfirmed: unconfirmed.some((span) => nameOf(span) === name) }))
      const addresses = others.map(async (node) => [node.name, (await topologyOf(node)).addresses] as const)
      const what = 'nodes whose span names the address of the router as unconfirmed'
      return {
        figures: { ...result.figures, 'own addresses': Object.fromEntries(await Promise.all(addresses)) },
        checks: [...result.checks, each(what, 'all', nodes, (one) => one.unconfirmed)],
      }
    }),
})
