import { get } from 'node:http'
import { startCluster, until } from '../../testing/cluster/cluster.ts'
import { endToEnd } from '../end-to-end.ts'
import { atMost, equals } from '../proof.ts'

const watchedMs = 1_000
const emittedLimitMs = 5_000

export const proof = endToEnd({
  name: 'self-seed',
  about: 'a node whose only seeds are itself emits and logs it once, and /readyz reports it until another node joins',
  quick: true,
  seconds: 8,
  async run({ signal }) {
    await using cluster = await startCluster({ env: { OTEL_BSP_SCHEDULE_DELAY: '200' } })
    const { receiver } = cluster
    const own = (name: string) => receiver.spans.filter((span) => span.name === name)
    const quic = cluster.address('node')
    const [, , , , port] = quic.split('/')
    const tcp = `/ip4/127.0.0.1/tcp/${port}`
    const node = await cluster.node('node', { listen: [quic, tcp], seeds: [quic, tcp] })
    const startedAt = Date.now()
    await until(
      () => own('mesh.seed.self').length >= 2 || signal.aborted,
      10_000,
      'the node detects itself at both seeds',
    )
    const emittedMs = Date.now() - startedAt
    await new Promise((resolve) => setTimeout(resolve, watchedMs))
    const alone = await ready(node.adminUrl)
    const warnings = node.log.filter(({ msg }) => msg === 'mesh.seed.self').map(({ level }) => level)
    // Control: another node with the same seeds finds this one there.
    const other = await cluster.node('other', { seeds: [quic, tcp] })
    await until(async () => (await ready(other.adminUrl)).status === 200, 10_000, 'the other is linked')
    const after = await ready(node.adminUrl)
    const selfOf = (name: string) => own('mesh.seed.self').filter((span) => span.resource['mesh.node.name'] === name)
    return {
      figures: { emittedMs, alone, after, warnings },
      checks: [
        equals('spans, one for each of its two seeds', 2, selfOf('node').length),
        equals('log lines at warn', 2, warnings.filter((level) => level === 40 || level === 'warn').length),
        atMost('from its start until both are emitted', emittedLimitMs, emittedMs, 'ms'),
        equals('seeds that are other nodes, at last', 0, Number(selfOf('node').at(-1)?.attributes['mesh.seed.others'])),
        equals('/readyz while alone', 503, alone.status),
        equals('/readyz names the cause', true, /this node itself/.test(alone.why)),
        equals('/readyz once another has joined', 200, after.status),
        equals('spans of another node with the same seeds', 0, selfOf('other').length),
        equals('retries and give-ups', 0, own('mesh.seed.retry').length + own('mesh.seed.giveup').length),
      ],
    }
  },
})

/** `/readyz` gives the reason with any status. */
function ready(url: string): Promise<{ readonly status: number; readonly why: string }> {
  return new Promise((resolve, reject) => {
    const request = get(`${url}/readyz`, { agent: false, timeout: 5_000 }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, why: String(JSON.parse(body).why) }))
    })
    request.on('error', reject)
  })
}
