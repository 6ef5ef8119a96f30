import { churnDefaults, churnSeconds } from '../../bench/churn/churn.ts'
import { eventStep } from '../../bench/churn/crowd.ts'
import { endToEnd } from '../end-to-end.ts'
import { proveChurn } from './churn-checks.ts'

/**
 * Short windows, so that each reading has only what stays: five staleness windows after the last life of a block, and
 * five intervals of the peer store's sweep.
 */
const env = {
  MESH_STALENESS_MS: '4000',
  MESH_DIGEST_MS: '1000',
  MESH_SWEEP_MS: '1000',
  BENCH_PEER_STORE_SWEEP_MS: '4000',
}
const options = { ...churnDefaults, block: 12 * eventStep, settle: 20, rest: 30, env }

export const proof = endToEnd({
  name: 'churn',
  about: `${options.events} peers with fresh identities join, talk and leave: nothing of them stays in any table, the heap and the handles of the node, and messages go on`,
  quick: false,
  seconds: Math.round(churnSeconds(options)),
  run: (context) => proveChurn(options, context),
})
