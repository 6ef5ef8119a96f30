import { endToEnd } from '../end-to-end.ts'
import { noAnswerChecks, noAnswerFigures } from './no-answer.ts'
import { simulateNoAnswer } from './simulated-seed.ts'

const watchedMs = 360_000

export const proof = endToEnd({
  name: 'seed-never-virtual',
  about:
    'simulated: a seed that never answers costs nine retries with growing waits, one give-up, then one attempt each 30 s',
  quick: true,
  virtual: true,
  seconds: 1,
  async run({ seed, progress }) {
    progress(`one node, ${watchedMs / 1_000} s of virtual time`)
    const spans = await simulateNoAnswer(seed, watchedMs)
    return { figures: noAnswerFigures(spans), checks: noAnswerChecks(spans) }
  },
})
