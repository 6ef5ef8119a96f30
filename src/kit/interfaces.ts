import { existsSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import type { NetworkInterface } from '../core/own-addresses.ts'

/** Interfaces that container engines, their networks and virtual machines make on a host. */
const bridgeNames = /^(docker|br-|veth|virbr|vnet|cni|flannel|cali|cilium|podman|lxc|lxd|nerdctl|kube|vmnet|vboxnet)/

/** The addresses of this machine's interfaces as they are now; empty where the system lists none. */
export function readInterfaces(read = networkInterfaces): NetworkInterface[] {
  return interfaceReader(read)()
}

/**
 * Reads them again and again: an interface keeps its kind as long as it is there, so only that of a new one costs a look
 * into the file system.
 */
export function interfaceReader(read = networkInterfaces, isBridge = isLinuxBridge): () => NetworkInterface[] {
  let kinds: ReadonlyMap<string, boolean> = new Map()
  return () => {
    try {
      const entries = Object.entries(read())
      kinds = new Map(entries.map(([name]) => [name, kinds.get(name) ?? (bridgeNames.test(name) || isBridge(name))]))
      return entries.flatMap(([name, addresses = []]) =>
        addresses.map(({ address }) => ({ name, address, isBridge: kinds.get(name) === true })),
      )
    } catch {
      return []
    }
  }
}

/** Linux tells a bridge of any name by this directory; other systems have none. */
function isLinuxBridge(name: string): boolean {
  return existsSync(`/sys/class/net/${encodeURIComponent(name)}/bridge`)
}
