import { churnDefaults } from '../../bench/churn/churn.ts'
import { eventStep } from '../../soak/lives/crowd.ts'
import { endToEnd } from '../end-to-end.ts'
import { proveChurn, shortWindows } from './churn-checks.ts'

/** A short `churn` of ours alone: the tables, not the growth. */
export const proof = endToEnd({
  name: 'churn-quick',
  about:
    'peers with fresh identities join, talk and leave: the tables of the node are those of its connected peers again',
  quick: true,
  seconds: 55,
  run: (context) =>
    proveChurn(
      {
        ...churnDefaults,
        events: eventStep,
        block: eventStep,
        rate: 10,
        rest: 15,
        trafficSeconds: 3,
        stock: false,
        env: shortWindows(2_000),
      },
      context,
    ),
})
