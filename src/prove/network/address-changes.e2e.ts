import type { Cluster, NodeProcess } from '../../testing/cluster/cluster.ts'
import type { Host } from '../../testing/netns/host.ts'
import type { Lan, Network } from '../../testing/netns/network.ts'
import { endToEnd } from '../end-to-end.ts'
import { timeUntil } from '../evidence.ts'
import { atMost, type Check, equals, type ProofContext } from '../proof.ts'
import { testProgram } from '../shell.ts'
import { addressesAt, areLinkedBothWays, hostAt, listen, onNetwork, viewOf, viewsOf } from './on-network.ts'

const watcher = testProgram('cluster/identify-watch.ts')
/** A changed address must be in digest and identify within this, in milliseconds. */
const announcedMs = 10_000
const linkedMs = 20_000
const ip = (n: number) => `45.79.10.${n}`
const vpn = (n: number) => `10.99.0.${n}`

type AnnounceTime = Awaited<ReturnType<typeof measureAnnounce>>

interface Setup {
  readonly context: ProofContext
  readonly node: NodeProcess
  /** Two more nodes, neither of them the seed. */
  readonly others: readonly [NodeProcess, NodeProcess]
  /** Requests identify of the node from its own host, by a connection that survives every change. */
  readonly watch: NodeProcess
}

export const proof = endToEnd({
  name: 'address-changes',
  about: 'a renumbered, late or removed address is in digest and identify within 10 s, and links come back',
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
      const setup: Setup = { context, node, others: [one.node, two.node], watch }
      const all = [seed.node, one.node, two.node, node]
      const linkedAllMs = await linkedAfter(setup, all)
      const control = (await viewOf(two.node)).members[one.node.name]

      context.progress('an address is renumbered')
      await host.renumber('eth0', `${ip(4)}/24`, `${ip(44)}/24`)
      const renumbered = await measureAnnounce(setup, 'renumbered', { has: ip(44), hasNot: ip(4) })
      const relinkedMs = await linkedAfter(setup, all)
      const newcomer = await start(5)
      const newcomerMs = await linkedAfter(setup, [...all, newcomer.node])

      context.progress('a second interface is added, and removed')
      await host.attach({ interface: 'wg0', lan: tunnel, addresses: [`${vpn(4)}/24`] })
      const late = await measureAnnounce(setup, 'late', { has: vpn(4) })
      const farHost = await hostAt(network, tunnel, 'far', `${vpn(9)}/24`)
      const farNode = await cluster.node('far', { host: farHost, listen, seeds: addressesAt(vpn(4)) })
      const farMs = await linkedAfter(setup, [node, farNode])
      await host.detach('wg0')
      const removed = await measureAnnounce(setup, 'removed', { hasNot: vpn(4) })
      const unchanged = (await viewOf(two.node)).members[one.node.name]
      return {
        figures: { linkedAllMs, relinkedMs, newcomerMs, farMs, known: [renumbered, late, removed], control },
        checks: [
          atMost('all are linked after', linkedMs, linkedAllMs, 'ms'),
          ...[renumbered, late, removed].flatMap(checksOf),
          atMost('links to the seed and to third nodes are back after', linkedMs, relinkedMs, 'ms'),
          atMost('a newcomer is linked with all after', linkedMs, newcomerMs, 'ms'),
          atMost('a node that only the late interface reaches is linked after', linkedMs, farMs, 'ms'),
          equals('addresses of an unchanged node', String(control), String(unchanged)),
        ],
      }
    }),
})

function starter(network: Network, cluster: Cluster, lan: Lan) {
  return async (n: number): Promise<{ host: Host; node: NodeProcess }> => {
    const name = `m${n}`
    const host = await hostAt(network, lan, name, `${ip(n)}/24`)
    const seeds = n === 1 ? [] : addressesAt(ip(1))
    return { host, node: await cluster.node(name, { role: n === 1 ? 'seed' : 'compute', host, listen, seeds }) }
  }
}

async function linkedAfter({ context }: Setup, nodes: readonly NodeProcess[]): Promise<number> {
  const linked = async () => {
    const sights = await viewsOf(nodes)
    return sights.every((one) => sights.every((other) => one === other || areLinkedBothWays(one, other)))
  }
  return await timeUntil(linkedMs, linked, context.signal)
}

/** Milliseconds until another node has a changed address by digest, and a peer by identify. */
async function measureAnnounce(
  { context, node, others, watch }: Setup,
  what: string,
  { has, hasNot }: { readonly has?: string; readonly hasNot?: string },
) {
  const isRight = (addresses: readonly string[]) => {
    const at = (host: string | undefined) => addresses.some((address) => address.startsWith(`/ip4/${host}/`))
    return addresses.length > 0 && (has === undefined || at(has)) && (hasNot === undefined || !at(hasNot))
  }
  const byDigest = async () => isRight((await viewOf(others[0])).members[node.name] ?? [])
  const byIdentify = async () => {
    const last = watch.log.findLast(({ msg }) => msg === 'identified')
    return isRight((last?.['addresses'] as readonly string[] | undefined) ?? [])
  }
  const limitMs = 2 * announcedMs
  const [digestMs, identifyMs] = await Promise.all([
    timeUntil(limitMs, byDigest, context.signal),
    timeUntil(limitMs, byIdentify, context.signal),
  ])
  return { what, digestMs, identifyMs }
}

function checksOf({ what, digestMs, identifyMs }: AnnounceTime): Check[] {
  return [
    atMost(`${what}: in the digest of another node after`, announcedMs, digestMs, 'ms'),
    atMost(`${what}: in identify after`, announcedMs, identifyMs, 'ms'),
  ]
}
