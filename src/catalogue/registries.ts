import type { AttributeSpec } from './attributes.ts'

/** Registries of the census: each has its own span, and the census span has its size. */
export const registries = [
  'peers',
  'members',
  'relay_seen',
  'relay_waiting',
  'connections',
  'messages',
  'subscriptions',
  'requests',
] as const

export type RegistryName = (typeof registries)[number]

type SizeName = `mesh.registry.${RegistryName}.size`

/** Attributes of the census span, which the node exports even if sampling drops the spans of registries. */
export const registrySizeNames = registries.map((name): SizeName => `mesh.registry.${name}.size`)

export const registrySizes = Object.fromEntries(
  registries.map((name) => [
    `mesh.registry.${name}.size`,
    { type: 'int', brief: `Current entries of all registries named ${name}.` },
  ]),
) as { readonly [N in SizeName]: AttributeSpec & { readonly type: 'int' } }

/** Counts of libp2p's tables, attributes of the census span: the kit's `census-taker.ts` reads one value for each. */
export const libp2pCounts = {
  'mesh.audit.streams': { type: 'int', brief: 'Streams over all connections.' },
  'mesh.audit.gossip_peers': { type: 'int', brief: 'Peers in gossipsub.' },
  'mesh.audit.peer_store': { type: 'int', brief: 'Records in libp2p’s peer store.' },
} as const satisfies Readonly<Record<`mesh.audit.${string}`, AttributeSpec>>

export type Libp2pCount = keyof typeof libp2pCounts
export const libp2pCountNames = Object.keys(libp2pCounts) as Libp2pCount[]
