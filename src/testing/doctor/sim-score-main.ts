import type { losses } from './sim-losses.ts'
import { type Judgement, judge } from './sim-score.ts'
import { simScenarios } from './sim-zoo.ts'

/**
 * Scores every scenario, or those whose disease or name contains a text:
 * `node src/testing/doctor/sim-score-main.ts [TEXT] [RUNS] [FIRST SEED] [none|third|gap|silent|skewed]`.
 */
const [text = '', runs = '20', first = '1', loss = 'none'] = process.argv.slice(2)
const startedAt = performance.now()
const totals = { runs: 0, right: 0, clean: 0, falseAlarms: 0 }

for (const scenario of simScenarios) {
  const { disease, name } = scenario
  if (!disease.includes(text) && !name.includes(text)) continue
  const isClean = disease === 'clean'
  const judgements: Judgement[] = []
  for (let seed = Number(first); seed < Number(first) + Number(runs); seed++)
    judgements.push(await judge(scenario, seed, loss as keyof typeof losses))
  const count = (outcome: Judgement['outcome']) => judgements.filter((one) => one.outcome === outcome).length
  const right = count('right')
  if (isClean) {
    totals.clean += judgements.length
    totals.falseAlarms += count('wrong')
  } else {
    totals.runs += judgements.length
    totals.right += right
  }
  process.stdout.write(
    `${disease}  ${name}: ${right}/${judgements.length} right, ${count('insufficient')} insufficient, ${count('missed')} missed, ${count('wrong')} ${isClean ? 'false alarms' : 'wrong'}\n`,
  )
  for (const { seed, outcome, answers } of judgements)
    if (outcome !== 'right' || (isClean && answers.length > 0))
      process.stdout.write(`  seed ${seed} ${outcome}: ${answers.join(' | ')}\n`)
}
process.stdout.write(`${JSON.stringify({ ...totals, seconds: Math.round((performance.now() - startedAt) / 1_000) })}\n`)
