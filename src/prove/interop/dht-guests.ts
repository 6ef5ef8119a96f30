import { freeTcpPorts } from '../../processes/free-ports.ts'
import type { Cluster, NodeOptions, NodeProcess } from '../../testing/cluster/cluster.ts'
import { type Guest, startGuest } from '../../testing/interop/guest.ts'
import { listenOn, type Transport } from '../../testing/suite/real-world.ts'
import { timeUntil } from '../evidence.ts'

/** A seed on QUIC and TCP. */
export async function startSeed(cluster: Cluster, options: NodeOptions = {}): Promise<NodeProcess> {
  const [port] = await freeTcpPorts([0])
  const listen = [cluster.address('seed'), `/ip4/127.0.0.1/tcp/${port}`]
  return cluster.node('seed', { role: 'seed', listen, ...options })
}

/** A guest with the DHT, connected to the seed only. */
export function startDhtGuest(
  program: string,
  seed: NodeProcess,
  transport: Transport,
  dht: 'client' | 'server' = 'server',
): Promise<Guest> {
  return startGuest([program], { dht, listen: [listenOn[transport]], dial: [addressOf(seed, transport)] })
}

/** Looks for a peer until it has an address; returns the milliseconds, NaN after the limit. */
export function timeUntilFound(
  finder: Guest,
  peer: string,
  limitMs: number,
  onFound: (addresses: readonly string[]) => void = () => {},
): Promise<number> {
  return timeUntil(limitMs, async () => {
    const addresses = (await finder.find(peer)) ?? []
    onFound(addresses)
    return addresses.length > 0
  })
}

/** Where the seed listens for this transport, with its peer id. */
export function addressOf({ addresses, peer }: NodeProcess, transport: Transport): string {
  const address = addresses.find((one) => one.includes(transport === 'quic' ? '/quic-v1' : '/tcp/')) ?? ''
  return addressWithPeer(address, peer)
}

export function addressWithPeer(address: string, peer: string): string {
  return address.includes('/p2p/') ? address : `${address}/p2p/${peer}`
}
