import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster, NodeProcess } from '../../testing/cluster.ts'
import type { Host } from '../../testing/netns/host.ts'
import type { Attachment, Lan, Network } from '../../testing/netns/network.ts'
import { listen } from './on-network.ts'

/** Where the machines of a cast are: their addresses, by the number of each machine. */
export interface Site {
  readonly lan: Lan
  /** With prefix lengths. `bridged` are IPv4 addresses of the machines that have many other interfaces. */
  readonly ipv4: (n: number) => string
  readonly bridged: (n: number) => string
  readonly ipv6: (n: number) => string
  readonly onLink: readonly string[]
  readonly gateways: readonly string[]
  readonly seeds: readonly string[]
}

/** One machine: which addresses it has, and what is odd about it. */
interface Machine {
  readonly name: string
  readonly n: number
  readonly has: readonly ('ipv4' | 'ipv6' | 'bridged')[]
  /** Container bridges that are there before the interface that counts. */
  readonly bridges?: number
  readonly odd?: 'late' | 'udp-blocked'
}

export interface HostedNode {
  readonly machine: Machine
  readonly host: Host
  readonly node: NodeProcess
}

const several = (name: string, first: number, rest: Omit<Machine, 'name' | 'n'>): Machine[] =>
  Array.from({ length: 5 }, (_, index) => ({ name: `${name}-${index + 1}`, n: first + index, ...rest }))

/** All but the seed, which is number 1. */
export const machines: readonly Machine[] = [
  { name: 'dual', n: 2, has: ['ipv4', 'ipv6'] },
  ...several('plain', 11, { has: ['ipv4'] }),
  ...several('bridges', 21, { has: ['bridged'], bridges: 20 }),
  { name: 'renumbered', n: 31, has: ['ipv4'] },
  { name: 'late', n: 41, has: ['ipv4'], bridges: 1, odd: 'late' },
  { name: 'udp-blocked', n: 51, has: ['ipv4'], odd: 'udp-blocked' },
  { name: 'ipv6-only', n: 61, has: ['ipv6'] },
]

/** Nodes that start at once: all at once would start no sooner on two cores. */
const startsAtOnce = 2

/** Starts a node on each machine. The late one has only a container bridge until `changeNetwork`. */
export async function startHostedNodes(network: Network, cluster: Cluster, site: Site): Promise<HostedNode[]> {
  const players: HostedNode[] = []
  for (let first = 0; first < machines.length; first += startsAtOnce) {
    const some = machines.slice(first, first + startsAtOnce)
    players.push(...(await Promise.all(some.map((machine) => start(network, cluster, site, machine)))))
  }
  return players
}

async function start(network: Network, cluster: Cluster, site: Site, machine: Machine): Promise<HostedNode> {
  const host = await network.host(machine.name)
  await host.addContainerBridges(machine.bridges ?? 0)
  if (machine.odd !== 'late') await host.attach(attachment(site, machine))
  if (machine.odd === 'udp-blocked') await host.drop('eth0', 'udp')
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

/** Between two changes of one address, in milliseconds. */
const betweenMs = 15_000

/** Brings the late interface, and renumbers another one twice. */
export async function changeNetwork(players: readonly HostedNode[], site: Site, signal: AbortSignal): Promise<void> {
  for (const { host, machine } of players) if (machine.odd === 'late') await host.attach(attachment(site, machine))
  const renumbered = players.find(({ machine }) => machine.name === 'renumbered')
  if (renumbered === undefined) return
  const { n } = renumbered.machine
  await renumbered.host.renumber('eth0', site.ipv4(n), site.ipv4(n + 1))
  await sleep(betweenMs, undefined, { signal })
  await renumbered.host.renumber('eth0', site.ipv4(n + 1), site.ipv4(n + 2))
}

/** Nodes that have an IP version in common with this one: it can have no link with others. */
export function reachableCount(name: string, seedToo: boolean): number {
  const kinds = (has: Machine['has']) => has.map((kind) => (kind === 'ipv6' ? 6 : 4))
  const own = kinds(machines.find((machine) => machine.name === name)?.has ?? ['ipv4', 'ipv6'])
  const others = machines.filter((other) => other.name !== name && kinds(other.has).some((kind) => own.includes(kind)))
  return others.length + (seedToo ? 1 : 0)
}
