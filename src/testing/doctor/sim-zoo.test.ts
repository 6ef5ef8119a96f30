import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../leak-check.ts'
import { judge } from './sim-score.ts'
import { simScenarios } from './sim-zoo.ts'

leakCheck()

/** Each seed is another mesh; a failure prints its number, and `sim-score-main.ts TEXT 1 NUMBER` replays it. */
const seeds = [1_001, 1_002]

for (const scenario of simScenarios) {
  test(`${scenario.disease}, ${scenario.name}: the first answer is right`, async () => {
    for (const seed of seeds) {
      const { outcome, answers } = await judge(scenario, seed)
      assert.equal(outcome, 'right', `seed ${seed}: ${answers.join(' | ') || 'no answer'}`)
    }
  })
}

test('two runs of one seed: the same spans', async () => {
  const [scenario] = simScenarios
  assert.deepEqual(await scenario?.run(7), await scenario?.run(7))
})
