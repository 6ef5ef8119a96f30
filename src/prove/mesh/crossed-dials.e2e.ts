import { endToEnd } from '../end-to-end.ts'
import { aboutCrossedDials, runCrossedDials } from './crossed-dials-run.ts'

const rounds = 200

export const proof = endToEnd({
  name: 'crossed-dials',
  about: aboutCrossedDials(rounds),
  quick: false,
  seconds: 200,
  run: (context) => runCrossedDials(rounds, context),
})
