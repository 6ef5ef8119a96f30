import { churnDefaults, churnSeconds } from '../../bench/churn/churn.ts'
import { endToEnd } from '../end-to-end.ts'
import { proveChurn } from './churn-checks.ts'

/** The longest estimate that a machine of two cores kept to. */
const options = churnDefaults

export const proof = endToEnd({
  name: 'churn',
  about: `${options.events} peers with fresh identities join, talk and leave: nothing of them stays in any table, the heap and the handles of the node, and messages go on`,
  quick: false,
  seconds: Math.round(churnSeconds(options)),
  run: (context) => proveChurn(options, context),
})
