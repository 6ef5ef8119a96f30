import type { Role } from './roles.ts'

export interface Budget {
  /** Resident memory, MiB. */
  readonly rssMb: number
  /** CPU milliseconds per second, all threads. */
  readonly cpuMsPerS: number
}

/**
 * What a node of a role may use for long. An idle node holds 84 MiB, one of a lab 89, a bridge in two meshes 97, and
 * thousands of messages add about 10 (measured); the container's limit is above, so that the alert comes before the end.
 * CPU: idle is below 10 ms/s, so a quarter of a core is no idling; it is a guess.
 */
const common: Budget = { rssMb: 130, cpuMsPerS: 250 }

export const budgets: Readonly<Record<Role, Budget>> = {
  seed: common,
  registry: common,
  gateway: common,
  broker: common,
  compute: common,
  bridge: { ...common, rssMb: 145 },
  observer: { ...common, rssMb: 145 },
}
