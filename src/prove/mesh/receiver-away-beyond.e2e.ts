import { setTimeout as sleep } from 'node:timers/promises'
import { startCluster, until } from '../../testing/cluster/cluster.ts'
import { endToEnd } from '../end-to-end.ts'
import { missingSpans, spanAccounts, spansNamed, sum } from '../evidence.ts'
import { atLeast, equals } from '../proof.ts'
import { testProgram } from '../shell.ts'

const load = testProgram('otlp/span-load.ts')
const perSecond = 200
/** Queue size, as an operator could set it; the node fills it soon. */
const queueSize = 300
const env = {
  OTEL_BSP_MAX_QUEUE_SIZE: `${queueSize}`,
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '100',
  OTEL_BSP_SCHEDULE_DELAY: '500',
}
const outagesMs = [6_000, 3_000]
const returnLimitMs = 20_000

export const proof = endToEnd({
  name: 'receiver-away-beyond',
  about:
    'the receiver is away until the span queue overflows: the node reports exactly as many spans lost as are missing',
  quick: true,
  seconds: 30,
  async run({ progress, signal }) {
    await using cluster = await startCluster({ env })
    const { receiver } = cluster
    const node = await cluster.node('busy', { entry: load })
    node.send({ perSecond })
    for (const ms of outagesMs) {
      await sleep(1_500, undefined, { signal })
      progress(`the receiver is away for ${ms / 1_000} s`)
      await receiver.stop()
      await sleep(ms, undefined, { signal })
      const backAt = Date.now()
      await receiver.restart()
      const isReported = () => spansNamed(receiver.spans, 'mesh.telemetry.lost').some(({ endMs }) => endMs > backAt)
      await until(isReported, returnLimitMs, 'the loss is reported')
    }
    node.send({ perSecond: 0 })
    const exit = await node.stop()
    const accounts = spanAccounts(receiver.spans)
    const missing = missingSpans(receiver.spans)
    const atExit = node.log.filter(({ msg }) => msg === 'spans were lost at exit')
    return {
      figures: { bound: queueSize, accounts },
      checks: [
        equals('reported lost, against missing', missing, sum(accounts.map(({ lostBySpans }) => lostBySpans))),
        atLeast('missing: the queue overflowed', queueSize, missing),
        atLeast('reports of loss', outagesMs.length, spansNamed(receiver.spans, 'mesh.telemetry.lost').length),
        equals('lost at exit', 0, atExit.length),
        equals('exit code', 0, exit),
      ],
    }
  },
})
