import { loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startCluster, until } from '../../testing/cluster.ts'
import { spansNamed } from '../evidence.ts'
import { atLeast, equals, type Proof } from '../proof.ts'
import { spanAccounts, total } from './span-accounts.ts'

const load = fileURLToPath(new URL('../../testing/span-load.ts', import.meta.url))
const perSecond = 200
/** Spans that are held while nobody takes them: a bound as an operator would set it, soon reached. */
const bound = 300
const env = {
  OTEL_BSP_MAX_QUEUE_SIZE: `${bound}`,
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '100',
  OTEL_BSP_SCHEDULE_DELAY: '500',
}
const absencesMs = [6_000, 3_000]
const backWithinMs = 20_000

export const proof: Proof = {
  name: 'receiver-away-beyond',
  about:
    'the receiver is away for longer than the bound on held spans allows: as many are told lost as are missing, exactly',
  quick: true,
  seconds: 30,
  async run({ progress, signal }) {
    await using cluster = await startCluster({ env })
    const { receiver } = cluster
    const node = await cluster.node('busy', { entry: load })
    node.send({ perSecond })
    for (const ms of absencesMs) {
      await sleep(1_500, undefined, { signal })
      progress(`the receiver is away for ${ms / 1_000} s`)
      await receiver.stop()
      await sleep(ms, undefined, { signal })
      const backAt = Date.now()
      await receiver.restart()
      const told = () => spansNamed(receiver.spans, 'mesh.telemetry.lost').some(({ endMs }) => endMs > backAt)
      await until(told, backWithinMs, 'the loss is told')
    }
    node.send({ perSecond: 0 })
    const exit = await node.stop()
    const accounts = spanAccounts(receiver.spans)
    const atExit = node.log.filter(({ msg }) => msg === 'spans were lost at exit')
    return {
      figures: { bound, accounts, load: loadavg() },
      checks: [
        equals('told lost, against missing', total(accounts, 'missing'), total(accounts, 'lostBySpans')),
        atLeast('missing: the bound was passed', bound, total(accounts, 'missing')),
        atLeast('times it was told', absencesMs.length, spansNamed(receiver.spans, 'mesh.telemetry.lost').length),
        equals('lost at exit', 0, atExit.length),
        equals('exit code', 0, exit),
      ],
    }
  },
}
