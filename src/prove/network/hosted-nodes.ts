import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster, NodeProcess } from '../../testing/cluster/cluster.ts'
import type { Host } from '../../testing/netns/host.ts'
import type { Attachment, Lan, Network } from '../../testing/netns/network.ts'
import { listen } from './on-network.ts'

/** The network of the hosts: their addresses, by host number. */
export interface Site {
  readonly lan: Lan
  /** With prefix lengths. `bridged` are IPv4 addresses of the hosts with many other interfaces. */
  readonly ipv4: (n: number) => string
  readonly bridged: (n: number) => string
  readonly ipv6: (n: number) => string
  readonly onLink: readonly string[]
  readonly gateways: readonly string[]
  readonly seeds: readonly string[]
}

/** One host: its addresses, and its special condition. */
interface Machine {
  readonly name: string
  readonly n: number
  readonly has: readonly ('ipv4' | 'ipv6' | 'bridged')[]
  /** Container bridges that exist before the public interface. */
  readonly bridges?: number
  readonly condition?: 'late' | 'udp-blocked'
}

export interface HostedNode {
  readonly machine: Machine
  readonly host: Host
  readonly node: NodeProcess
}

const several = (name: string, first: number, rest: Omit<Machine, 'name' | 'n'>): Machine[] =>
  Array.from({ length: 5 }, (_, index) => ({ name: `${name}-${index + 1}`, n: first + index, ...rest }))

/** All hosts but the seed, which is number 1. */
export const machines: readonly Machine[] = [
  { name: 'dual', n: 2, has: ['ipv4', 'ipv6'] },
  ...several('plain', 11, { has: ['ipv4'] }),
  ...several('bridges', 21, { has: ['bridged'], bridges: 20 }),
  { name: 'renumbered', n: 31, has: ['ipv4'] },
  { name: 'late', n: 41, has: ['ipv4'], bridges: 1, condition: 'late' },
  { name: 'udp-blocked', n: 51, has: ['ipv4'], condition: 'udp-blocked' },
  { name: 'ipv6-only', n: 61, has: ['ipv6'] },
]

/** Nodes that start at once: more would not start sooner on two cores. */
const startsAtOnce = 2

/** Starts a node on each host. The late one has only a container bridge until `changeNetwork`. */
export async function startHostedNodes(network: Network, cluster: Cluster, site: Site): Promise<HostedNode[]> {
  const hostedNodes: HostedNode[] = []
  for (let first = 0; first < machines.length; first += startsAtOnce) {
    const batch = machines.slice(first, first + startsAtOnce)
    hostedNodes.push(...(await Promise.all(batch.map((machine) => start(network, cluster, site, machine)))))
  }
  return hostedNodes
}

async function start(network: Network, cluster: Cluster, site: Site, machine: Machine): Promise<HostedNode> {
  const host = await network.host(machine.name)
  await host.addContainerBridges(machine.bridges ?? 0)
  if (machine.condition !== 'late') await host.attach(attachment(site, machine))
  if (machine.condition === 'udp-blocked') await host.drop('eth0', 'udp')
  const node = await cluster.node(machine.name, { host, listen, seeds: site.seeds })
  return { machine, host, node }
}

function attachment(site: Site, { n, has }: Machine): Attachment {
  const addresses = has.map((kind) => site[kind](n))
  const family = (address: string) => (address.includes(':') ? 6 : 4)
  const reachable = (other: string) => addresses.some((own) => family(own) === family(other))
  const connected = addresses.map((address) => address.replace(/\.\d+\//, '.0/'))
  return {
    interface: 'eth0',
    lan: site.lan,
    addresses,
    onLink: site.onLink.filter((net) => reachable(net) && !connected.includes(net)),
    gateways: site.gateways.filter(reachable),
  }
}

/** Interval between two changes of one address, in milliseconds. */
const changeIntervalMs = 15_000

/** Attaches the late interface, and renumbers another one twice. */
export async function changeNetwork(
  hostedNodes: readonly HostedNode[],
  site: Site,
  signal: AbortSignal,
): Promise<void> {
  for (const { host, machine } of hostedNodes)
    if (machine.condition === 'late') await host.attach(attachment(site, machine))
  const renumbered = hostedNodes.find(({ machine }) => machine.name === 'renumbered')
  if (renumbered === undefined) return
  const { n } = renumbered.machine
  await renumbered.host.renumber('eth0', site.ipv4(n), site.ipv4(n + 1))
  await sleep(changeIntervalMs, undefined, { signal })
  await renumbered.host.renumber('eth0', site.ipv4(n + 1), site.ipv4(n + 2))
}

/** Number of nodes that share an IP version with this one; it can have links to these only. */
export function reachableCount(name: string, seedToo: boolean): number {
  const kinds = (has: Machine['has']) => has.map((kind) => (kind === 'ipv6' ? 6 : 4))
  const own = kinds(machines.find((machine) => machine.name === name)?.has ?? ['ipv4', 'ipv6'])
  const others = machines.filter((other) => other.name !== name && kinds(other.has).some((kind) => own.includes(kind)))
  return others.length + (seedToo ? 1 : 0)
}
