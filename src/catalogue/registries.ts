import type { AttributeSpec } from './attributes.ts'

/** Registries of the census: each has its own span, and the census span has its size. */
export const registries = [
  'peers',
  'refused',
  'members',
  'relay_seen',
  'relay_waiting',
  'connections',
  'messages',
  'subscriptions',
  'requests',
  'grudges',
  'disconnected',
  'unanswered',
] as const

export type RegistryName = (typeof registries)[number]

type SizeName = `mesh.registry.${RegistryName}.size`

/** Attributes of the census span, which the node exports even if sampling drops the spans of registries. */
export const registrySizes = Object.fromEntries(
  registries.map((name) => [
    `mesh.registry.${name}.size`,
    { type: 'int', brief: `Current entries of all registries named ${name}.` },
  ]),
) as { readonly [N in SizeName]: AttributeSpec & { readonly type: 'int' } }
