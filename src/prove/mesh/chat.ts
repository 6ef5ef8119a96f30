import { fileURLToPath } from 'node:url'
import type { NodeOptions } from '../../testing/cluster.ts'
import { type Cluster, type NodeProcess, until } from '../../testing/cluster.ts'

interface ChatMessage {
  readonly n: number
  readonly sentAt: number
}

/** One message as a chatty node printed it. Times are Unix milliseconds. */
interface ReceivedMessage {
  readonly heard: ChatMessage
  readonly from: string
  readonly at: number
}

/** When messages passed again between two nodes, in milliseconds after `since`. */
export interface Exchange {
  readonly other: string
  readonly toMs: number
  readonly fromMs: number
}

const entry = fileURLToPath(new URL('../../testing/chatty-node.ts', import.meta.url))

/** A node that publishes every 500 ms and prints what it hears. */
export function chattyNode(cluster: Cluster, name: string, options: NodeOptions = {}): Promise<NodeProcess> {
  return cluster.node(name, { keepIdentity: true, ...options, entry })
}

/** What `node` heard from `peer` that was sent and received after `since`, oldest first. */
export function messagesFrom(node: NodeProcess, peer: string, since: number): ReceivedMessage[] {
  return node.log
    .filter((line): line is typeof line & ReceivedMessage => 'heard' in line && line['from'] === peer)
    .filter((line) => line.heard.sentAt >= since && line.at >= since)
}

/**
 * Waits until each of `others` has heard `node` and the other way round, each by a message sent after `since` (Unix
 * milliseconds). What has not passed by then is Infinity.
 */
export async function waitForExchange(
  node: NodeProcess,
  others: readonly NodeProcess[],
  since: number,
  limitMs: number,
): Promise<Exchange[]> {
  const look = () =>
    others.map((other) => ({
      other: other.name,
      toMs: (messagesFrom(other, node.peer, since)[0]?.at ?? Infinity) - since,
      fromMs: (messagesFrom(node, other.peer, since)[0]?.at ?? Infinity) - since,
    }))
  const passed = () => look().every(({ toMs, fromMs }) => toMs < Infinity && fromMs < Infinity)
  await until(passed, limitMs, 'messages both ways').catch(() => {})
  return look()
}

/** Messages that any of these nodes said from `from` to `to` (Unix milliseconds), and how many another did not hear. */
export function countMessages(
  nodes: readonly NodeProcess[],
  from: number,
  to: number,
): { said: number; missed: number } {
  const within = ({ sentAt }: ChatMessage) => sentAt >= from && sentAt < to
  let said = 0
  let missed = 0
  for (const speaker of nodes) {
    const spoken = speaker.log.filter((line): line is typeof line & { said: ChatMessage } => 'said' in line)
    const numbers = spoken.map((line) => line.said).filter(within)
    said += numbers.length
    for (const listener of nodes) {
      if (listener === speaker) continue
      const heard = new Set(messagesFrom(listener, speaker.peer, from).map((line) => line.heard.n))
      missed += numbers.filter(({ n }) => !heard.has(n)).length
    }
  }
  return { said, missed }
}

/** The slowest way, in milliseconds. */
export function slowestMs(ways: readonly Exchange[]): number {
  return Math.max(...ways.flatMap(({ toMs, fromMs }) => [toMs, fromMs]))
}
