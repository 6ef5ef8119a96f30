import type { Proof } from '../proof.ts'
import { aboutCrossedDials, runCrossedDials } from './crossed-dials-run.ts'

const rounds = 15

/** A short `crossed-dials`. */
export const proof: Proof = {
  name: 'crossed-dials-quick',
  about: aboutCrossedDials(rounds),
  quick: true,
  seconds: 20,
  run: (context) => runCrossedDials(rounds, context),
}
