import type { MessageRecord } from '../../kit/messages/messages.ts'
import { type Cluster, type NodeProcess, startCluster } from '../../testing/cluster/cluster.ts'
import { endToEnd } from '../end-to-end.ts'
import { countProcessorWait, emitterOf, timeUntil } from '../evidence.ts'
import { topologyOf } from '../mesh/mesh.ts'
import { atMost, equals, type ProofContext, type ProofResult } from '../proof.ts'
import { testProgram } from '../shell.ts'

/** Limit of each step, in milliseconds, beyond what a process waits for a processor meanwhile. */
const limits = { joined: 10_000, received: 10_000, emitted: 12_000, left: 8_000 }
/** Ends a step that hangs. */
const guardMs = 30_000

/** Whether the node has logged a line with these fields. */
const hasLogged = (node: NodeProcess, fields: Readonly<Record<string, string>>) =>
  node.log.some((line) => Object.entries(fields).every(([key, value]) => line[key] === value))

export const proof = endToEnd({
  name: 'kit-app',
  about:
    'a plain js-libp2p application with one line for the mesh is a member: it publishes, receives, requests and answers, its spans arrive, and its own tracer provider stays global',
  quick: true,
  seconds: 12,
  async run({ progress, signal }: ProofContext): Promise<ProofResult> {
    await using cluster = await startCluster()
    const seed = await cluster.node('seed', { role: 'seed', env: { MESH_TOPICS: 'news' } })
    const seeds = [cluster.address('seed')]
    const talker = await cluster.node('talker', { seeds, entry: testProgram('cluster/talking-node.ts') })
    progress('two nodes listen; now the application')
    const app = await cluster.node('app', { seeds, entry: testProgram('cluster/traced-app.ts') })
    return await measure(cluster, { seed, talker, app }, signal)
  },
})

async function measure(
  cluster: Cluster,
  { seed, talker, app }: Readonly<Record<'seed' | 'talker' | 'app', NodeProcess>>,
  signal: AbortSignal,
): Promise<ProofResult> {
  const members = async (node: NodeProcess) => (await topologyOf(node)).members
  const sees = async (node: NodeProcess) => (await members(node)).some(({ peer }) => peer === app.peer)
  const timeStep = async (holds: () => boolean | Promise<boolean>) => {
    const waitedMs = await countProcessorWait([seed, talker, app])
    const tookMs = await timeUntil(guardMs, holds, signal)
    return tookMs - (await waitedMs())
  }
  const timeUntilLogged = (node: NodeProcess, fields: Readonly<Record<string, string>>) =>
    timeStep(() => hasLogged(node, fields))
  const joinedMs = await timeStep(async () => (await sees(seed)) && (await sees(talker)))
  const kind = (await topologyOf(seed)).peers.find(({ peer }) => peer === app.peer)?.kind ?? 'absent'

  const news = { heard: 'news from the app', from: app.peer }
  const nodeReceived = async () =>
    (await seed.api<MessageRecord[]>('/api/messages')).some(
      ({ direction, topic, peer }) => direction === 'in' && topic === 'news' && peer === app.peer,
    )
  const steps: readonly (readonly [string, number])[] = [
    ['the seed and a node list it as a member', joinedMs],
    ['a node receives its message', await timeUntilLogged(talker, news)],
    ['`tracemesh node` receives its message', await timeStep(nodeReceived)],
    ['it receives a message of a node', await timeUntilLogged(app, { heard: 'news from talker' })],
    ['a node answers its request', await timeUntilLogged(app, { from: talker.peer, answer: 'talker greets you' })],
    [
      'it answers the request of a node',
      await timeUntilLogged(talker, { from: app.peer, answer: 'the app greets you' }),
    ],
  ]
  const spansMs = await timeStep(() => spansOf(cluster, app).has('mesh.hello.received'))
  app.kill('SIGUSR2')
  await timeUntil(guardMs, () => app.log.some((line) => 'untouched' in line), signal)
  const own = app.log.find((line) => 'untouched' in line)
  const code = await app.stop()
  const leftMs = await timeUntil(limits.left, async () => !(await sees(seed)))
  const spanCounts = spansOf(cluster, app)
  return {
    figures: { steps: Object.fromEntries(steps), spans: Object.fromEntries(spanCounts), spansMs, leftMs },
    checks: [
      ...steps.map(([what, ms]) => atMost(what, limits.joined, ms, 'ms')),
      equals('its kind at the seed', 'member', kind),
      atMost('its spans arrive', limits.emitted, spansMs, 'ms'),
      equals('its start is emitted', 1, spanCounts.get('mesh.node.started') ?? 0),
      equals('its stop is emitted', 1, spanCounts.get('mesh.node.stopped') ?? 0),
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
