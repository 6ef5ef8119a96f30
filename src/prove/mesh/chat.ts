import { type Cluster, type NodeProcess, until } from '../../testing/cluster/cluster.ts'
import { testProgram } from '../shell.ts'

interface ChatMessage {
  readonly n: number
  readonly sentAt: number
}

/** One message as a chatty node logs its receipt. Times are Unix milliseconds. */
interface ReceivedMessage {
  readonly heard: ChatMessage
  readonly from: string
  readonly at: number
}

/** When messages passed again in both directions between two nodes, in milliseconds after `since`. */
export interface Exchange {
  readonly other: string
  readonly toMs: number
  readonly fromMs: number
}

const entry = testProgram('cluster/chatty-node.ts')

/** Starts nodes that publish every 500 ms and log each message that they receive. */
export function chattyNode(cluster: Cluster): Cluster['node'] {
  return (name, options) => cluster.node(name, { keepIdentity: true, ...options, entry })
}

/** Messages from `peer` that were sent, and received by `node`, after `since`, oldest first. */
export function messagesFrom(node: NodeProcess, peer: string, since: number): ReceivedMessage[] {
  return node.log
    .filter((line): line is typeof line & ReceivedMessage => 'heard' in line && line['from'] === peer)
    .filter((line) => line.heard.sentAt >= since && line.at >= since)
}

/**
 * Waits until `node` and each of `others` have received a message from each other that was sent after `since` (Unix
 * milliseconds). A direction without a message within the limit is Infinity.
 */
export async function waitForExchange(
  node: NodeProcess,
  others: readonly NodeProcess[],
  since: number,
  limitMs: number,
): Promise<Exchange[]> {
  const measure = () =>
    others.map((other) => ({
      other: other.name,
      toMs: (messagesFrom(other, node.peer, since)[0]?.at ?? Infinity) - since,
      fromMs: (messagesFrom(node, other.peer, since)[0]?.at ?? Infinity) - since,
    }))
  const allPassed = () => measure().every(({ toMs, fromMs }) => toMs < Infinity && fromMs < Infinity)
  await until(allPassed, limitMs, 'messages both ways').catch(() => {})
  return measure()
}

/** Messages that these nodes published from `from` to `to` (Unix milliseconds), and how many receptions are missing. */
export function countMessages(
  nodes: readonly NodeProcess[],
  from: number,
  to: number,
): { published: number; missed: number } {
  const within = ({ sentAt }: ChatMessage) => sentAt >= from && sentAt < to
  let published = 0
  let missed = 0
  for (const publisher of nodes) {
    const lines = publisher.log.filter((line): line is typeof line & { said: ChatMessage } => 'said' in line)
    const numbers = lines.map((line) => line.said).filter(within)
    published += numbers.length
    for (const receiver of nodes) {
      if (receiver === publisher) continue
      const received = new Set(messagesFrom(receiver, publisher.peer, from).map((line) => line.heard.n))
      missed += numbers.filter(({ n }) => !received.has(n)).length
    }
  }
  return { published, missed }
}

/** The slowest direction, in milliseconds. */
export function slowestMs(ways: readonly Exchange[]): number {
  return Math.max(...ways.flatMap(({ toMs, fromMs }) => [toMs, fromMs]))
}

/** Those in which both directions passed. */
export function completeExchanges(ways: readonly Exchange[]): readonly Exchange[] {
  return ways.filter((way) => slowestMs([way]) < Infinity)
}
