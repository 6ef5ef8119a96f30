import { loadavg } from 'node:os'
import { startCluster, until } from '../../testing/cluster.ts'
import { equals, type Proof } from '../proof.ts'
import { attemptsOf, isSeedSpan, noAnswerChecks, noAnswerFigures } from './no-answer.ts'

/** Ten attempts, three after the give-up to have two spaces between them. */
const wanted = 13
/** Each attempt and wait at its longest, three times 30 s alone, and the spans' way here. */
const limitMs = 100_000 + 151_000 + 3 * 30_000 + 10_000 + 20_000

export const proof: Proof = {
  name: 'seed-never',
  about: 'a seed that never comes costs nine retries with growing waits, one give-up, then one attempt each 30 s',
  quick: false,
  seconds: 330,
  async run({ progress, signal }) {
    await using cluster = await startCluster()
    const { receiver } = cluster
    const node = await cluster.node('node', { seeds: [cluster.address('seed')] })
    const spans = () => receiver.spans.filter(isSeedSpan)
    let seen = 0
    await until(
      () => {
        signal.throwIfAborted()
        const attempts = attemptsOf(spans())
        for (const { name, attributes } of attempts.slice(seen)) {
          progress(`${name} ${attributes['mesh.seed.attempt']}, next in ${attributes['mesh.seed.delay_ms'] ?? '?'} ms`)
        }
        seen = attempts.length
        return seen >= wanted
      },
      limitMs,
      `${wanted} attempts at the seed`,
    )
    const exit = await node.stop()
    return {
      figures: { ...noAnswerFigures(spans()), load: loadavg() },
      checks: [...noAnswerChecks(spans()), equals('exit code', 0, exit)],
    }
  },
}
