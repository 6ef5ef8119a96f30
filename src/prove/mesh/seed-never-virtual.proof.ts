import type { Proof } from '../proof.ts'
import { simulateUnanswered } from './simulated-seed.ts'
import { unansweredChecks, unansweredFigures } from './unanswered.ts'

const watchedMs = 360_000

export const proof: Proof = {
  name: 'seed-never-virtual',
  about:
    'simulated: a seed that never comes costs nine retries with growing waits, one give-up, then one attempt each 30 s',
  quick: true,
  virtual: true,
  seconds: 1,
  async run({ seed, progress }) {
    progress(`one node, ${watchedMs / 1_000} s of virtual time`)
    const spans = await simulateUnanswered(seed, watchedMs)
    return { figures: unansweredFigures(spans), checks: unansweredChecks(spans) }
  },
}
