import { createSocket } from 'node:dgram'
import { existsSync } from 'node:fs'
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { NetworkInterface } from '../../core/own-addresses.ts'
import type { Owner } from '../../core/owner.ts'

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

/** Documentation addresses: only a default route leads to them. Discard port; the socket never sends. */
export const defaultRouteTargets = ['198.51.100.1', '2001:db8::1']
const discardPort = 9
const limitMs = 1_000

/**
 * The source address that the system would choose for packets to `host`: a connected UDP socket has it, without
 * sending. Undefined when no route leads there, and when the owner closes.
 */
export function sourceAddress(host: string, owner: Owner): Promise<string | undefined> {
  const version = isIP(host)
  if (version === 0 || owner.closed) return Promise.resolve(undefined)
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  const socket = createSocket(version === 4 ? 'udp4' : 'udp6')
  const release = owner.adopt('route lookup', () => {
    cancelLimit()
    socket.close()
    resolve(undefined)
  })
  const end = (address: string | undefined) => {
    resolve(address)
    void release()
  }
  const cancelLimit = owner.after(limitMs, () => end(undefined))
  socket.on('error', () => end(undefined))
  socket.once('connect', () => end(socket.address().address))
  socket.connect(discardPort, host)
  return promise
}
