import { churnDefaults, churnSeconds } from '../../bench/churn/churn.ts'
import { eventStep } from '../../soak/lives/crowd.ts'
import { endToEnd } from '../end-to-end.ts'
import { proveChurn, shortWindows } from './churn-checks.ts'

const options = { ...churnDefaults, block: 12 * eventStep, settle: 20, rest: 30, env: shortWindows(4_000) }

export const proof = endToEnd({
  name: 'churn',
  about: `${options.events} peers with fresh identities join, talk and leave: nothing of them stays in any table, the heap and the handles of the node, and messages go on`,
  quick: false,
  seconds: Math.round(churnSeconds(options)),
  run: (context) => proveChurn(options, context),
})
