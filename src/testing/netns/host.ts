import type { Namespace } from './namespace.ts'
import type { Attachment } from './network.ts'

/** Kinds of traffic that the network can drop, as nft matches. */
export const traffic = {
  udp: ['ip protocol udp', 'ip6 nexthdr udp'],
  tcp: ['ip protocol tcp', 'ip6 nexthdr tcp'],
  ipv6: ['meta protocol ip6'],
} as const satisfies Record<string, readonly string[]>

export type Traffic = keyof typeof traffic

/** One machine of a network. All of it can change while nodes run on it. */
export interface Host extends Namespace {
  readonly name: string
  /** Adds an interface with its addresses and routes. */
  attach(attachment: Attachment): Promise<void>
  /** Removes an interface, like a network card that someone pulls out. */
  detach(interfaceName: string): Promise<void>
  addAddress(interfaceName: string, address: string): Promise<void>
  removeAddress(interfaceName: string, address: string): Promise<void>
  /** Replaces one address by another and restores the routes of the attachment. */
  renumber(interfaceName: string, from: string, to: string): Promise<void>
  setMtu(interfaceName: string, mtu: number): Promise<void>
  /** Adds container bridges with private addresses, each with one port; the addresses are the same on every host. */
  addContainerBridges(count: number): Promise<void>
  /** From now on the network drops exactly this traffic to and from the host. */
  drop(interfaceName: string, ...what: readonly Traffic[]): Promise<void>
}

const nft = ['nft', '-f', '-']
let ports = 0

/** `hub` is the namespace of all bridges; each interface of a host is one end of a veth pair, the other a port there. */
export function hostIn(name: string, namespace: Namespace, hub: Namespace): Host {
  const attached = new Map<string, { port: string; attachment: Attachment }>()
  const of = (inner: string) => {
    const entry = attached.get(inner)
    if (entry === undefined) throw new Error(`${name} has no interface ${inner}`)
    return entry
  }
  const ip = async (...lines: readonly string[]) => {
    await namespace.run(['ip', '-batch', '-'], `${lines.join('\n')}\n`)
  }
  /** Drops packets at arrival, on both ends of the pair, so that the sender gets no error. */
  const filter = async (inner: string, rules: readonly string[]) => {
    const { port } = of(inner)
    await Promise.all([hub.run(nft, dropping(port, rules)), namespace.run(nft, dropping(inner, rules))])
  }
  return {
    ...namespace,
    name,
    attach: async (attachment) => {
      const { interface: inner, lan, addresses } = attachment
      ports++
      const port = `port${ports}`
      attached.set(inner, { port, attachment })
      const pair = `link add name ${port} type veth peer name ${inner} netns ${namespace.pid}`
      await hub.run(['ip', '-batch', '-'], `${pair}\nlink set ${port} master ${lan.name} up\n`)
      const added = addresses.map((address) => addressLine('add', inner, address))
      await ip(`link set ${inner} up`, ...added, ...routeLines(attachment))
    },
    detach: (inner) => ip(`link del ${inner}`),
    addAddress: (inner, address) => ip(addressLine('add', inner, address)),
    removeAddress: (inner, address) => ip(addressLine('del', inner, address)),
    renumber: (inner, from, to) =>
      // In this order: the kernel removes all addresses of a subnet with its first one.
      ip(addressLine('del', inner, from), addressLine('add', inner, to), ...routeLines(of(inner).attachment)),
    setMtu: (inner, mtu) => ip(`link set ${inner} mtu ${mtu}`),
    addContainerBridges: (count) => ip(...Array.from({ length: count }, (_, index) => bridgeLines(index)).flat()),
    drop: (inner, ...what) =>
      filter(
        inner,
        what.flatMap((one) => traffic[one]),
      ),
  }
}

function dropping(device: string, matches: readonly string[]): string {
  const chain = `chain arrive { type filter hook ingress device ${device} priority 0;`
  const table = `table netdev ${device}`
  // Creates and deletes the table first: nft cannot delete a table that does not exist.
  return `${table}\ndelete ${table}\n${table} {\n${chain}\n${matches.map((match) => `${match} drop\n`).join('')}}\n}\n`
}

/** Restores the routes, which the kernel removes with the last address of their interface. */
function routeLines({ interface: inner, onLink = [], gateways = [] }: Attachment): string[] {
  return [
    ...onLink.map((net) => `route replace ${net} dev ${inner}`),
    ...gateways.map((gateway) => `route replace default via ${gateway}`),
  ]
}

/** `nodad` makes an IPv6 address usable at once, without duplicate address detection. */
function addressLine(verb: 'add' | 'del', interfaceName: string, address: string): string {
  return `address ${verb} ${address} dev ${interfaceName}${verb === 'add' && address.includes(':') ? ' nodad' : ''}`
}

/** Each bridge has a port: without one it has no carrier, and Node does not list its addresses. */
function bridgeLines(index: number): string[] {
  const [bridge, outer, inner] = [`br-${index}`, `ctr${index}`, `ctr${index}-in`]
  // Docker's default address pools, in its order.
  const address = index < 15 ? `172.${17 + index}.0.1/16` : `192.168.${(index - 15) * 16}.1/20`
  return [
    `link add name ${bridge} type bridge`,
    `link add name ${outer} type veth peer name ${inner}`,
    `link set ${outer} master ${bridge} up`,
    `link set ${inner} up`,
    `link set dev ${bridge} up`,
    `address add ${address} dev ${bridge}`,
  ]
}
