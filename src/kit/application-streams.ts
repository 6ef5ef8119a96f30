import type { Connection } from '@libp2p/interface'

/** Protocols of the mesh, of libp2p itself, and of gossipsub, whose stream healing moves to another connection. */
const infrastructure = ['/tracemesh/', '/meshsub/', '/floodsub/', '/ipfs/id/', '/ipfs/ping/', '/libp2p/autonat/']

/** Whether the application uses this connection: libp2p shares one connection among all users of a peer. */
export function servesApplication({ streams }: Pick<Connection, 'streams'>): boolean {
  return streams.some(
    ({ protocol }) => protocol !== '' && !infrastructure.some((prefix) => protocol.startsWith(prefix)),
  )
}
