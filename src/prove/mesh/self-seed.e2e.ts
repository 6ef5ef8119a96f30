import { setTimeout as sleep } from 'node:timers/promises'
import { startCluster, until } from '../../testing/cluster/cluster.ts'
import { endToEnd } from '../end-to-end.ts'
import { countProcessorWait, spansNamed, timeUntil } from '../evidence.ts'
import { atMost, equals } from '../proof.ts'
import { promptSpans } from './mesh.ts'

const watchedMs = 1_000
/** Beyond what its process waits for a processor. */
const emittedLimitMs = 5_000
const guardMs = 30_000

export const proof = endToEnd({
  name: 'self-seed',
  about: 'a node whose only seeds are itself emits and logs it once, and /readyz reports it until another node joins',
  quick: true,
  seconds: 8,
  async run({ signal }) {
    await using cluster = await startCluster(promptSpans)
    const { receiver } = cluster
    const selfSpans = (node?: string) => spansNamed(receiver.spans, 'mesh.seed.self', node)
    const quic = cluster.address('node')
    const [, , , , port] = quic.split('/')
    const tcp = `/ip4/127.0.0.1/tcp/${port}`
    const node = await cluster.node('node', { listen: [quic, tcp], seeds: [quic, tcp] })
    const waitedMs = await countProcessorWait([node])
    const tookMs = await timeUntil(guardMs, () => selfSpans().length >= 2, signal)
    const emittedMs = tookMs - (await waitedMs())
    await sleep(watchedMs, undefined, { signal })
    const alone = await ready(node.adminUrl)
    const warnings = node.log.filter(({ msg }) => msg === 'mesh.seed.self').map(({ level }) => level)
    // Control: another node with the same seeds finds this one there.
    const other = await cluster.node('other', { seeds: [quic, tcp] })
    await until(async () => (await ready(other.adminUrl)).status === 200, guardMs, 'the other is linked', signal)
    const after = await ready(node.adminUrl)
    const last = selfSpans('node').at(-1)
    const failures = [
      ...spansNamed(receiver.spans, 'mesh.seed.retry'),
      ...spansNamed(receiver.spans, 'mesh.seed.giveup'),
    ]
    return {
      figures: { emittedMs, alone, after, warnings },
      checks: [
        equals('spans, one for each of its two seeds', 2, selfSpans('node').length),
        equals('log lines at warn', 2, warnings.filter((level) => level === 40 || level === 'warn').length),
        atMost('from its start until both are emitted', emittedLimitMs, emittedMs, 'ms'),
        equals('seeds that are other nodes, at last', 0, Number(last?.attributes['mesh.seed.others'])),
        equals('/readyz while alone', 503, alone.status),
        equals('/readyz names the cause', true, /this node itself/.test(alone.why)),
        equals('/readyz once another has joined', 200, after.status),
        equals('spans of another node with the same seeds', 0, selfSpans('other').length),
        equals('retries and give-ups', 0, failures.length),
      ],
    }
  },
})

/** `/readyz` gives the reason with any status. */
async function ready(url: string): Promise<{ readonly status: number; readonly why: string }> {
  const response = await fetch(`${url}/readyz`, { headers: { connection: 'close' } })
  return { status: response.status, why: String(((await response.json()) as { why: unknown }).why) }
}
