import { startCluster, until } from '../../testing/cluster/cluster.ts'
import { endToEnd } from '../end-to-end.ts'
import { equals } from '../proof.ts'
import { attemptsOf, isSeedSpan, noAnswerChecks, noAnswerFigures } from './seed-never-virtual.e2e.ts'

/** Ten attempts, and three after the give-up with two gaps between them. */
const attemptCount = 13
/** The longest attempts and waits, three times 30 s without links, and the export of the spans. */
const limitMs = 100_000 + 151_000 + 3 * 30_000 + 10_000 + 20_000

export const proof = endToEnd({
  name: 'seed-never',
  about: 'a seed that never answers costs nine retries with growing waits, one give-up, then one attempt each 30 s',
  quick: false,
  seconds: 330,
  async run({ progress, signal }) {
    await using cluster = await startCluster()
    const { receiver } = cluster
    const node = await cluster.node('node', { seeds: [cluster.address('seed')] })
    const spans = () => receiver.spans.filter(isSeedSpan)
    let reported = 0
    await until(
      () => {
        const attempts = attemptsOf(spans())
        for (const { name, attributes } of attempts.slice(reported)) {
          progress(`${name} ${attributes['mesh.seed.attempt']}, next in ${attributes['mesh.seed.delay_ms'] ?? '?'} ms`)
        }
        reported = attempts.length
        return reported >= attemptCount
      },
      limitMs,
      `${attemptCount} attempts at the seed`,
      signal,
    )
    const exit = await node.stop()
    return {
      figures: noAnswerFigures(spans()),
      checks: [...noAnswerChecks(spans()), equals('exit code', 0, exit)],
    }
  },
})
