import type { Namespace } from './namespace.ts'
import type { Attachment } from './network.ts'

/** What can be dropped on the way between a host and its network, as nft matches it. */
export const traffic = {
  udp: ['ip protocol udp', 'ip6 nexthdr udp'],
  tcp: ['ip protocol tcp', 'ip6 nexthdr tcp'],
  ipv6: ['meta protocol ip6'],
} as const satisfies Record<string, readonly string[]>

export type Traffic = keyof typeof traffic

/** One machine of a network. Everything can be changed while nodes run on it. */
export interface Host extends Namespace {
  readonly name: string
  /** A new interface, with everything that belongs to it. */
  attach(attachment: Attachment): Promise<void>
  /** Takes an interface away, as a cable that is pulled together with its card. */
  detach(interfaceName: string): Promise<void>
  addAddress(interfaceName: string, address: string): Promise<void>
  removeAddress(interfaceName: string, address: string): Promise<void>
  /** One address goes, another comes; routes as of the attachment. */
  renumber(interfaceName: string, from: string, to: string): Promise<void>
  setMtu(interfaceName: string, mtu: number): Promise<void>
  /** Bridges of containers with private addresses, the same on every host that has them, each with one port. */
  addContainerBridges(count: number): Promise<void>
  /** From now on the network drops this, and only this, on its way to and from the host. */
  drop(interfaceName: string, ...what: readonly Traffic[]): Promise<void>
}

const nft = ['nft', '-f', '-']
let ports = 0

/** `hub` is the namespace of all bridges; each interface of a host is one end of a pair whose other end is a port there. */
export function hostIn(name: string, namespace: Namespace, hub: Namespace): Host {
  const attached = new Map<string, { port: string; attachment: Attachment }>()
  const of = (inner: string) => {
    const found = attached.get(inner)
    if (found === undefined) throw new Error(`${name} has no interface ${inner}`)
    return found
  }
  const ip = async (...lines: readonly string[]) => {
    await namespace.run(['ip', '-batch', '-'], `${lines.join('\n')}\n`)
  }
  /** Dropped where they arrive, on both ends of the pair: a sender never learns of it. */
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
      // In this order: with the first address of a subnet all others of it go.
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
  // Deleted first, whether it is there or not.
  return `${table}\ndelete ${table}\n${table} {\n${chain}\n${matches.map((match) => `${match} drop\n`).join('')}}\n}\n`
}

/** Routes go with the last address of their interface, and are put back as they were. */
function routeLines({ interface: inner, onLink = [], gateways = [] }: Attachment): string[] {
  return [
    ...onLink.map((net) => `route replace ${net} dev ${inner}`),
    ...gateways.map((gateway) => `route replace default via ${gateway}`),
  ]
}

/** Without detection of duplicates, an IPv6 address can be used at once. */
function addressLine(verb: 'add' | 'del', interfaceName: string, address: string): string {
  return `address ${verb} ${address} dev ${interfaceName}${verb === 'add' && address.includes(':') ? ' nodad' : ''}`
}

/** A bridge without a port has no carrier, and Node does not name its addresses. */
function bridgeLines(index: number): string[] {
  const [bridge, outer, inner] = [`br-${index}`, `ctr${index}`, `ctr${index}-in`]
  // Docker draws from these, in this order.
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
