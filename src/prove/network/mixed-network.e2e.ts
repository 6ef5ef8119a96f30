import { endToEnd } from '../end-to-end.ts'
import { runMixedHosts } from './mixed-hosts.ts'
import { addressesAt, listen, onNetwork } from './on-network.ts'

const ipv4 = (n: number) => `45.79.10.${n}`
const ipv6 = (n: number) => `2600:3c00::${n}`

export const proof = endToEnd({
  name: 'mixed-network',
  about:
    'sixteen hosts, public, bridged, renumbered, late, without UDP, with IPv6 only, are one mesh, also without its seed',
  quick: false,
  seconds: 295,
  run: (context) =>
    onNetwork('mixed-network', async (network, cluster) => {
      const lan = await network.lan('world')
      const host = await network.host('seed')
      const onLink = ['45.79.10.0/24', '10.88.0.0/24']
      const addresses = [`${ipv4(1)}/24`, `${ipv6(1)}/64`]
      await host.attach({ interface: 'eth0', lan, addresses, onLink: onLink.slice(1) })
      const seed = await cluster.node('seed', { role: 'seed', host, listen })
      const site = {
        lan,
        ipv4: (n: number) => `${ipv4(n)}/24`,
        ipv6: (n: number) => `${ipv6(n)}/64`,
        bridged: (n: number) => `10.88.0.${n}/24`,
        onLink,
        gateways: [],
        seeds: addressesAt(ipv4(1), ipv6(1)),
      }
      const { figures, checks } = await runMixedHosts({ network, cluster, seed, site, watchedMs: 225_000, context })
      return { figures, checks }
    }),
})
