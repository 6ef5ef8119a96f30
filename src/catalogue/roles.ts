/** What a node may be in its mesh. A file of its own: the kit loads it without the table of attributes. */
export const roles = ['seed', 'registry', 'gateway', 'broker', 'compute', 'bridge', 'observer'] as const

export type Role = (typeof roles)[number]
