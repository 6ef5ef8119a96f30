import { loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Cluster, NodeProcess } from '../../testing/cluster.ts'
import type { Host } from '../../testing/netns/host.ts'
import type { Lan, Network } from '../../testing/netns/network.ts'
import { atMost, type Check, equals, type Proof, type ProofContext, round } from '../proof.ts'
import { areLinkedBothWays, timeUntil, viewOf, viewsOf } from './node-view.ts'
import { addressesAt, listen, onNetwork } from './on-network.ts'

const watcher = fileURLToPath(new URL('../../testing/identify-watch.ts', import.meta.url))
/** An address that changes is in the next digest and in identify within this, in milliseconds. */
const announcedMs = 10_000
const linkedMs = 20_000
const ip = (n: number) => `45.79.10.${n}`
const vpn = (n: number) => `10.99.0.${n}`

/** Until a change of own addresses was known by digest to another node, by identify to any peer. */
interface AnnounceTime {
  readonly what: string
  readonly digestMs: number
  readonly identifyMs: number
}

interface Scene {
  readonly cluster: Cluster
  readonly context: ProofContext
  readonly host: Host
  readonly node: NodeProcess
  /** Third nodes: neither is the seed. */
  readonly others: readonly [NodeProcess, NodeProcess]
  /** Asks identify of the node from its own machine, by a connection that no change cuts. */
  readonly watch: NodeProcess
}

export const proof: Proof = {
  name: 'address-changes',
  about: 'an address that is renumbered, comes late or goes is in digest and identify within 10 s, and links come back',
  quick: false,
  seconds: 60,
  run: (context) =>
    onNetwork('address-changes', async (network, cluster) => {
      const [lan, tunnel] = [await network.lan('world'), await network.lan('vpn')]
      const start = starter(network, cluster, lan)
      const seed = await start(1)
      const [one, two, moving] = await Promise.all([start(2), start(3), start(4)])
      const env = { WATCH_ADDRESS: `/ip4/127.0.0.1/tcp/4001/p2p/${moving.node.peer}` }
      const watch = await cluster.node('watch', { entry: watcher, host: moving.host, env })
      const { host, node } = moving
      const scene: Scene = { cluster, context, host, node, others: [one.node, two.node], watch }
      const all = [seed.node, one.node, two.node, node]
      const first = await linkedAfter(scene, all)
      const control = (await viewOf(two.node)).members[one.node.name]

      context.progress('one address is replaced by another')
      await host.renumber('eth0', `${ip(4)}/24`, `${ip(44)}/24`)
      const renumbered = await measureAnnounce(scene, 'renumbered', { has: ip(44), hasNot: ip(4) })
      const again = await linkedAfter(scene, all)
      const newcomer = await start(5)
      const met = await linkedAfter(scene, [...all, newcomer.node])

      context.progress('a second interface comes, and goes')
      await host.attach({ interface: 'wg0', lan: tunnel, addresses: [`${vpn(4)}/24`] })
      const late = await measureAnnounce(scene, 'late', { has: vpn(4) })
      const far = await network.host('far')
      await far.attach({ interface: 'eth0', lan: tunnel, addresses: [`${vpn(9)}/24`] })
      const beyond = await cluster.node('far', { host: far, listen, seeds: addressesAt(vpn(4)) })
      const metBeyond = await linkedAfter(scene, [node, beyond])
      await host.detach('wg0')
      const removed = await measureAnnounce(scene, 'removed', { hasNot: vpn(4) })
      const unchanged = (await viewOf(two.node)).members[one.node.name]
      return {
        figures: { first, again, met, metBeyond, known: [renumbered, late, removed], control, load: loadavg() },
        checks: [
          atMost('all are linked after', linkedMs, first, 'ms'),
          ...[renumbered, late, removed].flatMap(checksOf),
          atMost('links to the seed and to third nodes are back after', linkedMs, again, 'ms'),
          atMost('a newcomer is linked with all after', linkedMs, met, 'ms'),
          atMost('a node that only the late interface reaches is linked after', linkedMs, metBeyond, 'ms'),
          equals('addresses of a node that nobody touched', String(control), String(unchanged)),
        ],
      }
    }),
}

function starter(network: Network, cluster: Cluster, lan: Lan) {
  return async (n: number): Promise<{ host: Host; node: NodeProcess }> => {
    const name = `m${n}`
    const host = await network.host(name)
    await host.attach({ interface: 'eth0', lan, addresses: [`${ip(n)}/24`] })
    const seeds = n === 1 ? [] : addressesAt(ip(1))
    return { host, node: await cluster.node(name, { role: n === 1 ? 'seed' : 'compute', host, listen, seeds }) }
  }
}

async function linkedAfter({ context }: Scene, nodes: readonly NodeProcess[]): Promise<number> {
  const linked = async () => {
    const sights = await viewsOf(nodes)
    return sights.every((one) => sights.every((other) => one === other || areLinkedBothWays(one, other)))
  }
  return round(await timeUntil(linked, linkedMs, context.signal))
}

async function measureAnnounce(
  { context, node, others, watch }: Scene,
  what: string,
  { has, hasNot }: { readonly has?: string; readonly hasNot?: string },
): Promise<AnnounceTime> {
  const right = (addresses: readonly string[]) => {
    const at = (host: string | undefined) => addresses.some((address) => address.startsWith(`/ip4/${host}/`))
    return addresses.length > 0 && (has === undefined || at(has)) && (hasNot === undefined || !at(hasNot))
  }
  const byDigest = async () => right((await viewOf(others[0])).members[node.name] ?? [])
  const byIdentify = async () => {
    const last = watch.log.findLast(({ msg }) => msg === 'identified')
    return right((last?.['addresses'] as readonly string[] | undefined) ?? [])
  }
  const limitMs = 2 * announcedMs
  const [digestMs, identifyMs] = await Promise.all([
    timeUntil(byDigest, limitMs, context.signal),
    timeUntil(byIdentify, limitMs, context.signal),
  ])
  return { what, digestMs: round(digestMs), identifyMs: round(identifyMs) }
}

function checksOf({ what, digestMs, identifyMs }: AnnounceTime): Check[] {
  return [
    atMost(`${what}: in the digest of another node after`, announcedMs, digestMs, 'ms'),
    atMost(`${what}: in identify after`, announcedMs, identifyMs, 'ms'),
  ]
}
