import type { Connection } from '@libp2p/interface'

/** Protocols of the mesh, of libp2p’s own upkeep, and of gossipsub, whose stream moves to another connection by healing. */
const upkeep = ['/tracemesh/', '/meshsub/', '/floodsub/', '/ipfs/id/', '/ipfs/ping/', '/libp2p/autonat/']

/** Whether other code of the application uses this connection: libp2p hands one connection to all who ask for its peer. */
export function servesApplication({ streams }: Pick<Connection, 'streams'>): boolean {
  return streams.some(({ protocol }) => protocol !== '' && !upkeep.some((prefix) => protocol.startsWith(prefix)))
}
