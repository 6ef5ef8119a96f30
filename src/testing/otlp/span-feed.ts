import { setTimeout as sleep } from 'node:timers/promises'
import { status } from '@grpc/grpc-js'
import type { Random } from '../../core/machine.ts'
import { exportBytes, otlpClient, type SentSpan } from '../../store/otlp-client.ts'
import { playedMinute, playedNodes, spansPerMinute } from './lab-spans.ts'

export interface SpanFeed {
  /** Number of the last span of each node, its `mesh.seq`, by `service.instance.id`. */
  readonly emitted: ReadonlyMap<string, number>
  /** The spans of the first node's first minute. */
  readonly sample: readonly SentSpan[]
  total(): number
  /** Resolves when the receiver has accepted all spans. */
  stop(): Promise<void>
}

/** Time between two attempts of a refused request. */
const resendMs = 500

/** Sends the spans of the lab's nodes to `url` until it is stopped, `perSecond` spans on average. */
export function startFeed(url: string, random: Random, perSecond: number): SpanFeed {
  const client = otlpClient(url)
  const nodes = playedNodes(random)
  const emitted = new Map<string, number>()
  let sample: readonly SentSpan[] = []
  let isStopped = false
  const send = async (body: Buffer) => {
    // As a node does: spans without an answer are sent again.
    while ((await client.send(body)).code !== status.OK) await sleep(resendMs)
  }
  const run = async () => {
    const began = performance.now()
    for (let index = 0; !isStopped; index++) {
      const node = nodes[index % nodes.length]
      if (node === undefined) throw new Error('the lab has no nodes')
      const minute = Math.floor(index / nodes.length)
      const spans = playedMinute(nodes, minute, Date.now() - 60_000, random)
      if (index === 0) sample = spans
      await send(exportBytes(node.resource, spans))
      emitted.set(String(node.resource['service.instance.id']), (minute + 1) * spansPerMinute)
      const dueMs = began + ((index + 1) * spansPerMinute * 1_000) / perSecond
      await sleep(Math.max(0, dueMs - performance.now()))
    }
  }
  const running = run().finally(() => client.close())
  return {
    emitted,
    get sample() {
      return sample
    },
    total: () => [...emitted.values()].reduce((sum, last) => sum + last, 0),
    stop: () => {
      isStopped = true
      return running
    },
  }
}
