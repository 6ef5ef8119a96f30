import { setTimeout as sleep } from 'node:timers/promises'
import { openSearchApi } from '../../testing/stack/opensearch-api.ts'
import { endToEnd } from '../end-to-end.ts'
import { runFaults, type StoreFault } from './clustered-faults.ts'
import { askQuestions } from './clustered-questions.ts'

const awayMs = 20_000

export const proof = endToEnd({
  name: 'clustered-store',
  about:
    'the clustered overlay with one node of OpenSearch, killed and full while spans arrive: no span is missing, hardly any is there twice, and the page finds them',
  quick: false,
  seconds: 150,
  run: (context) =>
    runFaults(context, { nodes: 1, jaegers: 1, rate: 300, faults: [killed, full], afterwards: askQuestions }),
})

const killed: StoreFault = {
  name: 'OpenSearch killed, and back',
  run: async ({ store: [node] }) => {
    await node?.end('SIGKILL')
    await sleep(awayMs)
    await node?.start()
  },
}

/** What OpenSearch does at its flood stage; the disk of a single node is not watched. */
const full: StoreFault = {
  name: 'writes blocked as at the flood stage',
  run: async ({ storeUrl }) => {
    const api = openSearchApi(storeUrl)
    await api.blockWrites(true)
    await sleep(awayMs)
    await api.blockWrites(false)
  },
}
