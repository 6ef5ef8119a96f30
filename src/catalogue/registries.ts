import type { AttributeSpec } from './attribute-spec.ts'

/** Registries of the census, each with what an entry is: each has its own span, and the census span has its size. */
export const registryEntries = {
  peers: 'A peer with a connection, with all its links.',
  refused: 'A connection that the node refused, until it has closed.',
  members: 'A member, or one that has left or expired, which stays for four staleness windows.',
  relay_seen: 'A message that a bridge has seen, so that it crosses once.',
  relay_waiting: 'A message that another bridge should forward first.',
  connections: 'A connection of libp2p that is the mesh’s.',
  messages: 'One of the latest messages, for the page.',
  subscriptions: 'A topic with the handlers of the application.',
  requests: 'A topic of requests with the handler of the application.',
  grudges: 'A peer that left gossipsub with penalties or backoffs.',
  disconnected: 'A peer that disconnected, whose record the next sweep of the peer store judges.',
  visitors: 'A peer with a connection that is admitted to a closed mesh, or waits for it with its streams.',
  not_admitted: 'A peer that was not admitted within the last minute, with the cause.',
  credentials: 'A credential with a verified signature, until no peer has shown it for ten minutes.',
  unanswered: 'A peer of the DHT’s table that did not answer once.',
} as const

export type RegistryName = keyof typeof registryEntries
export const registries = Object.keys(registryEntries) as readonly RegistryName[]

type SizeName = `mesh.registry.${RegistryName}.size`

/** Attributes of the census span, which the node exports even if sampling drops the spans of registries. */
export const registrySizes = Object.fromEntries(
  registries.map((name) => [
    `mesh.registry.${name}.size`,
    { type: 'int', unit: '1', brief: `Current entries of all registries named ${name}.` },
  ]),
) as { readonly [N in SizeName]: AttributeSpec & { readonly type: 'int' } }
