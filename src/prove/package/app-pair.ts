import { type NodeProcess, startCluster, until } from '../../testing/cluster.ts'
import { atMost, type Check, equals } from '../proof.ts'

/** For each step, in milliseconds: links, gossip and the first batch of spans, while another installs. */
const limitMs = 20_000

/** A span of the application, as its exporter has it. */
interface AppSpan {
  readonly span: string
  readonly trace: string
  readonly links: readonly string[]
}

const spansOf = ({ log }: NodeProcess, name: string): readonly AppSpan[] =>
  log.filter((line): line is AppSpan & typeof line => line['span'] === name)

/** A message's handler runs in the trace of whoever published it, or links to it. */
const joins = (publisher: NodeProcess, hearer: NodeProcess): boolean => {
  const published = new Set(spansOf(publisher, 'app.publish').map(({ trace }) => trace))
  return spansOf(hearer, 'app.handle').some(({ trace, links }) => [trace, ...links].some((id) => published.has(id)))
}

/** How long it took, or NaN when it did not come within the limit. */
const took = (holds: () => boolean): Promise<number> => until(holds, limitMs, 'the step').catch(() => Number.NaN)

/** Runs an application twice, the second seeded with the first: gossip, traces and the end of both. */
export async function checkPair(on: string, entry: string): Promise<{ checks: Check[]; figures: object }> {
  await using cluster = await startCluster()
  const tcp = ['/ip4/127.0.0.1/tcp/0']
  const first = await cluster.node('first', { entry, listen: tcp })
  const second = await cluster.node('second', { entry, listen: tcp, seeds: first.addresses.slice(0, 1) })
  const hears = (one: NodeProcess, other: NodeProcess) => () =>
    one.log.some((line) => line['heard'] === `news from ${other.name}` && line['from'] === other.peer)
  const heard = [await took(hears(first, second)), await took(hears(second, first))]
  const joined = await took(() => joins(first, second) && joins(second, first))
  const told = (peer: string) => cluster.receiver.spans.some(({ resource }) => resource['mesh.peer.self'] === peer)
  await took(() => told(first.peer) && told(second.peer))
  const spans = [first, second].filter(({ peer }) => told(peer)).length
  const codes = [await second.stop(), await first.stop()]
  return {
    figures: { heardMs: heard.map(Math.round), joinedMs: Math.round(joined) },
    checks: [
      ...heard.map((ms, index) =>
        atMost(`${on}: ${index === 0 ? 'first' : 'second'} hears the other`, limitMs, ms, 'ms'),
      ),
      equals(
        `${on}: traces of publish and handler are joined in the application's exporter, both ways`,
        true,
        joined >= 0,
      ),
      equals(`${on}: members whose spans reach the receiver`, 2, spans),
      equals(`${on}: exit codes`, '0 0', codes.join(' ')),
    ],
  }
}
