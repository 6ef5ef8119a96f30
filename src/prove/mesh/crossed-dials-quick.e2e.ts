import { endToEnd } from '../end-to-end.ts'
import { aboutCrossedDials, runCrossedDials } from './crossed-dials.e2e.ts'

const rounds = 15

/** A short `crossed-dials`. */
export const proof = endToEnd({
  name: 'crossed-dials-quick',
  about: aboutCrossedDials(rounds),
  quick: true,
  seconds: 20,
  run: (context) => runCrossedDials(rounds, context),
})
