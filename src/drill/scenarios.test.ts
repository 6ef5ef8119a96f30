import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alertNames, alertOf } from '../catalogue/alerts/alerts.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { scenarioOf, scenarios, scenariosFor } from './scenarios.ts'

leakCheck()

test('every alert has exactly one scenario', () => {
  assert.deepEqual(scenarios.flatMap(({ alerts }) => alerts).toSorted(), alertNames.toSorted())
  for (const alert of alertNames) assert.ok(scenarioOf(alert).alerts.includes(alert))
})

test('scenarios for several alerts: each once, with a name that is valid in a mesh id', () => {
  const needed = scenariosFor(['MeshNodeSilent', 'MeshPrunedRate', 'MeshSeedGiveup'])
  assert.deepEqual(needed.map(({ name }) => name).toSorted(), ['kill', 'seeds'])
  assert.equal(new Set(scenarios.map(({ name }) => name)).size, scenarios.length)
  for (const { name, description: about } of scenarios) {
    assert.match(name, /^[a-z]+$/)
    assert.ok(about.length > 10)
  }
})

test('scenarios of pipeline alerts control the stack, scenarios of mesh alerts do not', () => {
  for (const { name, alerts, holdsStack = false, size } of scenarios) {
    for (const alert of alerts) assert.equal(alertOf(alert).per === 'part', holdsStack, `${name}: ${alert}`)
    assert.equal(size === 0, holdsStack, name)
  }
})
