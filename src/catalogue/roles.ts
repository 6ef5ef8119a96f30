/** Roles of a node in its mesh. In its own file, so that the kit does not load the table of attributes. */
export const roles = ['seed', 'registry', 'gateway', 'broker', 'compute', 'bridge', 'observer'] as const

export type Role = (typeof roles)[number]
