import { startCluster, until } from '../../testing/cluster/cluster.ts'
import { endToEnd } from '../end-to-end.ts'
import { missingSpans, spanAccounts, spansNamed } from '../evidence.ts'
import { equals, round } from '../proof.ts'
import { testProgram } from '../shell.ts'

const load = testProgram('otlp/span-load.ts')
const burst = 10_000
const limitMs = 30_000

export const proof = endToEnd({
  name: 'span-burst',
  about: 'a node emits 10,000 spans in one tick and loses none',
  quick: true,
  seconds: 10,
  async run() {
    await using cluster = await startCluster()
    const { receiver } = cluster
    const node = await cluster.node('busy', { entry: load })
    const before = await node.usage()
    node.send({ burst })
    const arrived = () => spansNamed(receiver.spans, 'mesh.bridge.dropped')
    const tookMs = await until(() => arrived().length >= burst, limitMs, `${burst} spans`)
    const after = await node.usage()
    const exit = await node.stop()
    const accounts = spanAccounts(receiver.spans)
    const times = arrived().map(({ endMs }) => endMs)
    return {
      figures: {
        accounts,
        'all arrived after, ms': round(tookMs),
        'emitted within, ms': times.reduce((a, b) => Math.max(a, b)) - times.reduce((a, b) => Math.min(a, b)),
        'RSS before and after, MiB': [round(before.rssMb), round(after.rssMb)],
      },
      checks: [
        equals('arrived spans of the burst', burst, new Set(arrived().map(({ spanId }) => spanId)).size),
        equals('spans missing, of the node’s own too', 0, missingSpans(receiver.spans)),
        equals('mesh.telemetry.lost', 0, spansNamed(receiver.spans, 'mesh.telemetry.lost').length),
        equals('exit code', 0, exit),
      ],
    }
  },
})
