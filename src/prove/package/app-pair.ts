import { type NodeProcess, startCluster, until } from '../../testing/cluster/cluster.ts'
import { atMost, type Check, equals } from '../proof.ts'

/** Limit of each step, in milliseconds: links, gossip and the first batch of spans, during another install. */
const limitMs = 20_000

/** A span of the application at its own exporter. */
interface AppSpan {
  readonly span: string
  readonly trace: string
  readonly links: readonly string[]
}

const spansOf = ({ log }: NodeProcess, name: string): readonly AppSpan[] =>
  log.filter((line): line is AppSpan & typeof line => line['span'] === name)

/** Whether a message's handler runs in the trace of its publisher, or links to it. */
const sharesTrace = (publisher: NodeProcess, receiver: NodeProcess): boolean => {
  const published = new Set(spansOf(publisher, 'app.publish').map(({ trace }) => trace))
  return spansOf(receiver, 'app.handle').some(({ trace, links }) => [trace, ...links].some((id) => published.has(id)))
}

/** Milliseconds until `holds`; NaN after the limit. */
const timeUntil = (holds: () => boolean): Promise<number> => until(holds, limitMs, 'the step').catch(() => Number.NaN)

/** Runs an application twice, with the first as seed of the second: gossip, traces and exit of both. */
export async function checkPair(on: string, entry: string): Promise<{ checks: Check[]; figures: object }> {
  await using cluster = await startCluster()
  const tcp = ['/ip4/127.0.0.1/tcp/0']
  const first = await cluster.node('first', { entry, listen: tcp })
  const second = await cluster.node('second', { entry, listen: tcp, seeds: first.addresses.slice(0, 1) })
  const receivesFrom = (one: NodeProcess, other: NodeProcess) => () =>
    one.log.some((line) => line['heard'] === `news from ${other.name}` && line['from'] === other.peer)
  const receivedMs = [await timeUntil(receivesFrom(first, second)), await timeUntil(receivesFrom(second, first))]
  const joinedMs = await timeUntil(() => sharesTrace(first, second) && sharesTrace(second, first))
  const hasSpansOf = (peer: string) =>
    cluster.receiver.spans.some(({ resource }) => resource['mesh.peer.self'] === peer)
  await timeUntil(() => hasSpansOf(first.peer) && hasSpansOf(second.peer))
  const spans = [first, second].filter(({ peer }) => hasSpansOf(peer)).length
  const codes = [await second.stop(), await first.stop()]
  return {
    figures: { heardMs: receivedMs.map(Math.round), joinedMs: Math.round(joinedMs) },
    checks: [
      ...receivedMs.map((ms, index) =>
        atMost(`${on}: ${index === 0 ? 'first' : 'second'} receives the other's message`, limitMs, ms, 'ms'),
      ),
      equals(
        `${on}: traces of publish and handler are joined in the application's exporter, both ways`,
        true,
        joinedMs >= 0,
      ),
      equals(`${on}: members whose spans reach the receiver`, 2, spans),
      equals(`${on}: exit codes`, '0 0', codes.join(' ')),
    ],
  }
}
