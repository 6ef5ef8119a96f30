import type { AlertName } from '../catalogue/alerts/alerts.ts'
import { doctorScenario } from './doctor-scenario.ts'
import { faultScenarios } from './fault-scenarios.ts'
import { meshScenarios } from './mesh-scenarios.ts'
import type { Scenario } from './scenario.ts'
import { stackScenarios } from './stack-scenarios.ts'

/** The longest first, so that a run of all scenarios is shortest. */
export const scenarios: readonly Scenario[] = [...meshScenarios, ...faultScenarios, doctorScenario, ...stackScenarios]

/** The scenario that makes this alert fire. */
export function scenarioOf(alert: AlertName): Scenario {
  const scenario = scenarios.find(({ alerts }) => alerts.includes(alert))
  if (scenario === undefined) throw new RangeError(`no scenario for ${alert}`)
  return scenario
}

/** The scenarios for these alerts, each once. */
export function scenariosFor(names: readonly AlertName[]): readonly Scenario[] {
  return scenarios.filter(({ alerts }) => alerts.some((alert) => names.includes(alert)))
}
