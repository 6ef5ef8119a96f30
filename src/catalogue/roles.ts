export interface Budget {
  /** Resident memory, MiB. */
  readonly rssMb: number
  /** CPU milliseconds per second, all threads. */
  readonly cpuMsPerS: number
}

interface RoleSpec {
  /** Sustained use that a node of this role may have; `MeshRoleOverBudget` fires above it. */
  readonly budget: Budget
  /** Colour on the page in light and in dark mode. */
  readonly colours: readonly [light: string, dark: string]
}

/**
 * An idle node uses 84 MiB, one of a lab 89, a bridge in two meshes 97, and thousands of messages add about 10
 * (measured); the container limit is higher, so that the alert fires before an out-of-memory kill. CPU: an idle node
 * uses less than 10 ms/s; a quarter of a core is a guess.
 */
const budget: Budget = { rssMb: 130, cpuMsPerS: 250 }
const largeBudget: Budget = { ...budget, rssMb: 145 }

/**
 * All that differs by role, apart from what a node does. In its own file, so that the kit does not load the table of
 * attributes.
 */
export const roleTable = {
  seed: { budget, colours: ['#b7791f', '#e0a94a'] },
  registry: { budget, colours: ['#7a4fc0', '#b08cf0'] },
  gateway: { budget, colours: ['#2c6fd1', '#6fa8f5'] },
  broker: { budget, colours: ['#13867d', '#4cc0b5'] },
  compute: { budget, colours: ['#64748b', '#94a3b8'] },
  bridge: { budget: largeBudget, colours: ['#cc5a1f', '#f08a53'] },
  observer: { budget: largeBudget, colours: ['#b83280', '#f07ab8'] },
} as const satisfies Readonly<Record<string, RoleSpec>>

export const roles = Object.keys(roleTable) as readonly (keyof typeof roleTable)[]

export type Role = (typeof roles)[number]
