import { existsSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import type { NetworkInterface } from '../core/own-addresses.ts'

/** Interfaces that container engines, their networks and virtual machines make on a host. */
const bridgeNames = /^(docker|br-|veth|virbr|vnet|cni|flannel|cali|cilium|podman|lxc|lxd|nerdctl|kube|vmnet|vboxnet)/

/** The addresses of this machine's interfaces as they are now; empty where the system lists none. */
export function readInterfaces(read = networkInterfaces): NetworkInterface[] {
  try {
    return Object.entries(read()).flatMap(([name, addresses = []]) => {
      const isBridge = bridgeNames.test(name) || isLinuxBridge(name)
      return addresses.map(({ address }) => ({ name, address, isBridge }))
    })
  } catch {
    return []
  }
}

/** Linux tells a bridge of any name by this directory; other systems have none. */
function isLinuxBridge(name: string): boolean {
  return existsSync(`/sys/class/net/${encodeURIComponent(name)}/bridge`)
}
