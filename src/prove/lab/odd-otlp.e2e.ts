import { errorMessage } from '../../core/errors.ts'
import { oddOtlpProperties } from '../../testing/otlp/odd-otlp.ts'
import { endToEnd } from '../end-to-end.ts'
import { equals } from '../proof.ts'

const runs = 100_000

export const proof = endToEnd({
  name: 'odd-otlp',
  about: 'an odd span or answer affects no other: 100,000 random cases for each property of intake and reader',
  quick: false,
  seconds: 240,
  run: async ({ seed, progress }) => {
    const checks = Object.entries(oddOtlpProperties).map(([what, check]) => {
      progress(`${runs} cases: ${what}`)
      return equals(
        what,
        'held',
        outcomeOf(() => check(runs, seed)),
      )
    })
    return { figures: { runs, seed, properties: checks.length }, checks }
  },
})

/** The counterexample of fast-check, if any. */
function outcomeOf(check: () => void): string {
  try {
    check()
    return 'held'
  } catch (error) {
    return errorMessage(error)
  }
}
