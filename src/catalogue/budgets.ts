import type { Role } from './roles.ts'

export interface Budget {
  /** Resident memory, MiB. */
  readonly rssMb: number
  /** CPU milliseconds per second, all threads. */
  readonly cpuMsPerS: number
}

/**
 * Sustained use that a role may have. An idle node uses 84 MiB, one of a lab 89, a bridge in two meshes 97, and
 * thousands of messages add about 10 (measured); the container limit is higher, so that the alert fires before an
 * out-of-memory kill. CPU: an idle node uses less than 10 ms/s; a quarter of a core is a guess.
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
