import type { AttributeSpec } from './attributes.ts'

/** Registries of the census: each has a span of its own, and its size is on the census itself. */
export const registries = [
  'peers',
  'members',
  'relay_seen',
  'relay_waiting',
  'links',
  'messages',
  'subscriptions',
  'requests',
] as const

type SizeName = `mesh.registry.${(typeof registries)[number]}.size`

/** Attributes of the census, which leaves the node even when the spans of registries do not. */
export const registrySizeNames = registries.map((name): SizeName => `mesh.registry.${name}.size`)

export const registrySizes = Object.fromEntries(
  registries.map((name) => [
    `mesh.registry.${name}.size`,
    { type: 'int', brief: `Entries now of all registries called ${name}.` },
  ]),
) as { readonly [N in SizeName]: AttributeSpec & { readonly type: 'int' } }
