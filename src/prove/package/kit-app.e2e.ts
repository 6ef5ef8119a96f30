import { fileURLToPath } from 'node:url'
import type { MessageRecord } from '../../kit/messages.ts'
import { type Cluster, type NodeProcess, startCluster } from '../../testing/cluster/cluster.ts'
import { endToEnd } from '../end-to-end.ts'
import { emitterOf, timeUntil } from '../evidence.ts'
import { topologyOf } from '../mesh/mesh.ts'
import { atMost, type Check, equals, type ProofContext, type ProofResult } from '../proof.ts'

const program = (name: string) => fileURLToPath(new URL(`../../testing/cluster/${name}.ts`, import.meta.url))

/** Limit of each step, in milliseconds. */
const limits = { joined: 30_000, received: 30_000, emitted: 30_000, left: 8_000 }

const hasLogged = (node: NodeProcess, fields: Readonly<Record<string, string>>) =>
  node.log.some((line) => Object.entries(fields).every(([key, value]) => line[key] === value))

export const proof = endToEnd({
  name: 'kit-app',
  about:
    'a plain js-libp2p application with one line for the mesh is a member: it publishes, receives, requests and answers, its spans arrive, and its own tracer provider stays global',
  quick: true,
  seconds: 12,
  async run({ progress }: ProofContext): Promise<ProofResult> {
    await using cluster = await startCluster()
    const seed = await cluster.node('seed', { role: 'seed', env: { MESH_TOPICS: 'news' } })
    const seeds = [cluster.address('seed')]
    const talker = await cluster.node('talker', { seeds, entry: program('talking-node') })
    progress('two nodes listen; now the application')
    const app = await cluster.node('app', { seeds, entry: program('traced-app') })
    return await measure(cluster, { seed, talker, app })
  },
})

interface Trio {
  readonly seed: NodeProcess
  readonly talker: NodeProcess
  readonly app: NodeProcess
}

async function measure(cluster: Cluster, { seed, talker, app }: Trio): Promise<ProofResult> {
  const members = async (node: NodeProcess) => (await topologyOf(node)).members
  const sees = async (node: NodeProcess) => (await members(node)).some(({ peer }) => peer === app.peer)
  const joinedMs = await timeUntil(limits.joined, async () => (await sees(seed)) && (await sees(talker)))
  const kind = (await topologyOf(seed)).peers.find(({ peer }) => peer === app.peer)?.kind ?? 'absent'

  const news = { heard: 'news from the app', from: app.peer }
  const nodeReceived = async () =>
    (await seed.api<MessageRecord[]>('/api/messages')).some(
      ({ direction, topic, peer }) => direction === 'in' && topic === 'news' && peer === app.peer,
    )
  const steps: readonly (readonly [string, number])[] = [
    ['the seed and a node list it as a member', joinedMs],
    ['a node receives its message', await timeUntil(limits.received, () => hasLogged(talker, news))],
    ['`tracemesh node` receives its message', await timeUntil(limits.received, nodeReceived)],
    [
      'it receives a message of a node',
      await timeUntil(limits.received, () => hasLogged(app, { heard: 'news from talker' })),
    ],
    [
      'a node answers its request',
      await timeUntil(limits.received, () => hasLogged(app, { from: talker.peer, answer: 'talker greets you' })),
    ],
    [
      'it answers the request of a node',
      await timeUntil(limits.received, () => hasLogged(talker, { from: app.peer, answer: 'the app greets you' })),
    ],
  ]
  const spansMs = await timeUntil(limits.emitted, () => spansOf(cluster, app).has('mesh.hello.received'))
  app.kill('SIGUSR2')
  await timeUntil(limits.received, () => app.log.some((line) => 'untouched' in line))
  const own = app.log.find((line) => 'untouched' in line)
  const code = await app.stop()
  const leftMs = await timeUntil(limits.left, async () => !(await sees(seed)))
  const spanCounts = spansOf(cluster, app)
  return {
    figures: {
      steps: Object.fromEntries(steps),
      spans: Object.fromEntries(spanCounts),
      spansMs,
      leftMs,
    },
    checks: [
      ...steps.map(([what, ms]) => atMost(what, limits.joined, ms, 'ms')),
      equals('its kind at the seed', 'member', kind),
      atMost('its spans arrive', limits.emitted, spansMs, 'ms'),
      oneSpan('its start is emitted', spanCounts.get('mesh.node.started')),
      oneSpan('its stop is emitted', spanCounts.get('mesh.node.stopped')),
      equals('its own tracer provider is still the global one', true, own?.['untouched'] === true),
      equals('spans in it', '["work of the app"]', JSON.stringify(own?.['ownSpans'] ?? [])),
      equals('its exit code', 0, code),
      atMost('the seed removes it after its goodbye', limits.left, leftMs, 'ms'),
    ],
  }
}

/** Number of spans of one node at the receiver, by name. */
function spansOf({ receiver }: Cluster, { peer }: NodeProcess): Map<string, number> {
  const spans = receiver.spans.filter((span) => emitterOf(span) === peer)
  return new Map([...Map.groupBy(spans, ({ name }) => name)].map(([name, { length }]) => [name, length]))
}

function oneSpan(what: string, count: number | undefined): Check {
  return equals(what, 1, count ?? 0)
}
