import type { GossipSub } from '@chainsafe/libp2p-gossipsub'
import { gossipInternals } from '../../kit/gossip/gossip-internals.ts'

/** A method of the class that its published type leaves out. */
type Scored = GossipSub & { getScore(peer: string): number }

type Report = (event: string, fields: object) => void

interface GossipReports {
  /** Publishes, whatever the size, and reports the id of the message. */
  publish(topic: string, data: Uint8Array): Promise<void>
  /** Reports the lowest score of each peer since the start. */
  reportScores(): void
  stop(): void
}

const scoreMs = 500
/** Bytes that are shown of a message. */
const shownBytes = 256

/** Reports the messages of a js gossipsub with their ids as the guests of other implementations do. */
export function reportGossip(self: string, pubsub: GossipSub, report: Report): GossipReports {
  const worst: Record<string, number> = {}
  const readScores = () => {
    for (const peer of pubsub.getPeers().map(String))
      worst[peer] = Math.min(worst[peer] ?? 0, (pubsub as Scored).getScore(peer))
  }
  const timer = setInterval(readScores, scoreMs)
  const reportMessage = (event: string, from: string, id: string, topic: string, data: Uint8Array) => {
    const text = Buffer.from(data.subarray(0, shownBytes)).toString()
    report(event, { from, id: Buffer.from(id, 'base64').toString('hex'), topic, bytes: data.length, text })
  }
  pubsub.addEventListener('gossipsub:message', ({ detail: { msgId, msg } }) => {
    if (msg.type === 'signed') reportMessage('message', String(msg.from), msgId, msg.topic, msg.data)
  })
  return {
    async publish(topic, data) {
      await pubsub.publish(topic, data)
      // The cache holds own messages, too.
      const cached = [...(gossipInternals(pubsub)?.mcache.msgs ?? [])]
      const [id = ''] = cached.findLast(([, { message }]) => message.data === data) ?? []
      reportMessage('published', self, id, topic, data)
    },
    reportScores() {
      readScores()
      report('scores', { worst })
    },
    stop: () => clearInterval(timer),
  }
}
