import type { Scenario } from './sim-scenario.ts'
import { cleanScenarios } from './sim-zoo-clean.ts'
import { leakScenarios } from './sim-zoo-leaks.ts'
import { nodeScenarios } from './sim-zoo-nodes.ts'
import { seedScenarios } from './sim-zoo-seeds.ts'

export type { Scenario, Truth } from './sim-scenario.ts'

/** Every disease that lives above the port, planted in the simulator, and clean runs. */
export const simScenarios: readonly Scenario[] = [
  ...seedScenarios,
  ...nodeScenarios,
  ...leakScenarios,
  ...cleanScenarios,
]
