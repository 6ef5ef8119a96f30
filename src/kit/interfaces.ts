import { existsSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import type { NetworkInterface } from '../core/own-addresses.ts'

/** Interfaces that container engines, their networks and virtual machines make on a host. */
const bridgeNames = /^(docker|br-|veth|virbr|vnet|cni|flannel|cali|cilium|podman|lxc|lxd|nerdctl|kube|vmnet|vboxnet)/

/** The current addresses of this machine's interfaces; empty where the system lists none. */
export function readInterfaces(read = networkInterfaces): NetworkInterface[] {
  return interfaceReader(read)()
}

/** For repeated reads: an interface keeps its kind, so only a new one costs a file system access. */
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

/** On Linux every bridge has this directory, whatever its name; other systems have none. */
function isLinuxBridge(name: string): boolean {
  return existsSync(`/sys/class/net/${encodeURIComponent(name)}/bridge`)
}
