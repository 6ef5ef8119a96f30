import { namespaces } from './commands.ts'
import { type Host, hostIn } from './host.ts'
import { type Namespace, startNamespace } from './namespace.ts'

const bounds = { hosts: 40, lans: 8 }

/** One broadcast domain: a bridge. */
export interface Lan {
  readonly name: string
}

export interface Attachment {
  readonly interface: string
  readonly lan: Lan
  /** With their prefix lengths: `45.79.10.1/24`, `2600:3c00::1/64`. */
  readonly addresses: readonly string[]
  /** Subnets that this interface reaches without a router. */
  readonly onLink?: readonly string[]
  /** Routers for everything else, one per family at most. */
  readonly gateways?: readonly string[]
}

export interface RouterOptions {
  readonly inside: Omit<Attachment, 'interface'>
  readonly outside: Omit<Attachment, 'interface'>
}

/**
 * Hosts and LANs in isolated namespaces: their addresses do not reach the real network, and this machine's own network
 * stays unchanged. Ends with this process, however that ends.
 */
export interface Network extends AsyncDisposable {
  lan(name: string): Promise<Lan>
  /** A host with loopback only. */
  host(name: string): Promise<Host>
  /** A router that masquerades outgoing traffic, in both families, and forwards only connections that began inside. */
  natRouter(name: string, options: RouterOptions): Promise<Host>
  /** Stop the nodes that run in it first. */
  close(): Promise<void>
}

/** Why this machine cannot run such a network; undefined if it can. */
export function networkImpossible(): string | undefined {
  return namespaces().impossible
}

export async function startNetwork(): Promise<Network> {
  const { unshare, impossible } = namespaces()
  if (impossible !== undefined) throw new Error(impossible)
  // One namespace holds all bridges; it has no address and does not forward between them.
  const hub = await startNamespace(unshare)
  const all: Namespace[] = [hub]
  const lans = new Set<string>()

  const host = async (name: string) => {
    if (all.length > bounds.hosts) throw new Error(`a network has ${bounds.hosts} hosts at most`)
    const namespace = await startNamespace(unshare, hub)
    all.push(namespace)
    return hostIn(name, namespace, hub)
  }
  const close = async () => {
    await Promise.all(all.splice(0).map((namespace) => namespace.close()))
  }
  return {
    lan: async (name) => {
      if (lans.size >= bounds.lans) throw new Error(`a network has ${bounds.lans} lans at most`)
      lans.add(name)
      const bridge = `link add name ${name} type bridge stp_state 0 mcast_snooping 0`
      await hub.run(['ip', '-batch', '-'], `${bridge}\nlink set dev ${name} up\n`)
      return { name }
    },
    host,
    natRouter: async (name, { inside, outside }) => {
      const router = await host(name)
      await router.attach({ ...inside, interface: 'inside' })
      await router.attach({ ...outside, interface: 'outside' })
      const forwards = ['ipv4/ip_forward', 'ipv6/conf/all/forwarding'].map((name) => `echo 1 > /proc/sys/net/${name}`)
      await router.run(['sh', '-c', forwards.join(' && ')])
      await router.run(['nft', '-f', '-'], masquerade)
      return router
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

const masquerade = ['ip', 'ip6']
  .map(
    (family) => `
table ${family} nat {
  chain leave { type nat hook postrouting priority srcnat; oifname "outside" masquerade; }
  chain pass {
    type filter hook forward priority filter; policy drop;
    iifname "inside" oifname "outside" accept
    ct state established,related accept
  }
}`,
  )
  .join('\n')
