import type { Proof } from '../proof.ts'
import { aboutCrossedDials, runCrossedDials } from './crossed-dials-run.ts'

const rounds = 200

export const proof: Proof = {
  name: 'crossed-dials',
  about: aboutCrossedDials(rounds),
  quick: false,
  seconds: 200,
  run: (context) => runCrossedDials(rounds, context),
}
