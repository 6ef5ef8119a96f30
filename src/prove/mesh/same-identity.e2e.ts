import { setTimeout as sleep } from 'node:timers/promises'
import { type Cluster, type NodeProcess, startCluster } from '../../testing/cluster/cluster.ts'
import { endToEnd } from '../end-to-end.ts'
import { atLeast, atMost, type Check, equals } from '../proof.ts'
import { chattyNode, completeExchanges, countMessages, slowestMs, waitForExchange } from './chat.ts'
import { startMesh, waitForFullMesh } from './mesh.ts'

interface Round {
  readonly name: string
  /** From the kill to the next start, in milliseconds. */
  readonly awayMs: number
}

type Outcome = Awaited<ReturnType<typeof runRound>>

/** Before the others detect the death, about then, and well after; and the seed itself. */
const rounds: readonly Round[] = [
  { name: 'node-1', awayMs: 0 },
  { name: 'node-2', awayMs: 2_000 },
  { name: 'node-3', awayMs: 9_000 },
  { name: 'seed', awayMs: 2_000 },
]
const exchangeLimitMs = 15_000
/** Duration after the limit in which no message may be missing. */
const steadyMs = 5_000
const arrivalMs = 1_000

export const proof = endToEnd({
  name: 'same-identity',
  about: 'a killed node that is back within 10 s under the same identity exchanges messages with all again within 15 s',
  quick: false,
  seconds: 110,
  async run({ progress }) {
    await using cluster = await startCluster()
    const all = await startMesh(cluster, 5, chattyNode(cluster))
    await waitForFullMesh(all, 30_000)
    const outcomes: Outcome[] = []
    for (const round of rounds) {
      const outcome = await runRound(cluster, round)
      progress(`${round.name}, away ${round.awayMs} ms: messages both ways after ${slowestMs(outcome.exchanges)} ms`)
      outcomes.push(outcome)
    }
    const figures = {
      rounds: outcomes.map(({ links, ...rest }) => ({
        ...rest,
        transports: [...new Set(links.map(({ transport }) => transport))],
      })),
    }
    return { figures, checks: outcomes.flatMap(checksOf) }
  },
})

/** Milliseconds count from the restart of the killed node. */
async function runRound(cluster: Cluster, { name, awayMs }: Round) {
  const others = cluster.nodes().filter((node) => node.name !== name)
  const killed = cluster.nodes().find((node) => node.name === name) as NodeProcess
  killed.kill()
  await killed.exited
  await sleep(awayMs)
  const startedAt = Date.now()
  const node = await chattyNode(cluster)(
    name,
    name === 'seed' ? { role: 'seed' } : { seeds: [cluster.address('seed')] },
  )
  const listeningMs = Date.now() - startedAt
  const exchanges = await waitForExchange(node, others, startedAt, exchangeLimitMs + 10_000)
  const links = await waitForFullMesh([node, ...others], 20_000)
  const linkedMs = Date.now() - startedAt
  await sleep(startedAt + exchangeLimitMs + steadyMs + arrivalMs - Date.now())
  const after = countMessages([node, ...others], startedAt + exchangeLimitMs, startedAt + exchangeLimitMs + steadyMs)
  const samePeer = node.peer === killed.peer
  return { name, awayMs, samePeer, listeningMs, exchanges, linkedMs, after, links }
}

function checksOf({ name, awayMs, samePeer, exchanges, links, after }: Outcome): Check[] {
  const round = `${name}, away ${awayMs / 1_000} s`
  return [
    equals(`${round}: the same identity`, true, samePeer),
    equals(`${round}: others it exchanges messages with`, 5, completeExchanges(exchanges).length),
    atMost(`${round}: messages both ways with all, from its start`, exchangeLimitMs, slowestMs(exchanges), 'ms'),
    atLeast(`${round}: messages published by all from then on`, 30, after.published),
    equals(`${round}: of them not received by another node`, 0, after.missed),
    equals(`${round}: links on QUIC, one per pair`, 15, links.filter(({ transport }) => transport === 'quic').length),
  ]
}
