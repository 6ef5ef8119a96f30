import { loadavg } from 'node:os'
import { startCluster } from '../../testing/cluster/cluster.ts'
import { startMisbehavingPeer } from '../../testing/cluster/misbehaving-peer.ts'
import { endToEnd } from '../end-to-end.ts'
import { atMost, type Check, round } from '../proof.ts'
import { misbehaviours } from './malformed-frames.ts'
import { waitForFullMesh } from './mesh.ts'
import { censusCheck, harmChecks, misbehaviourCheck, randomFramesCheck } from './misbehaving-peer.ts'
import { configurationChecks } from './refused-configurations.ts'

const meshLimitMs = 30_000
const replyLimitMs = 10_000
const growthMostMb = 32
const random = { connections: 50, frames: 200 }

export const proof = endToEnd({
  name: 'bad-input',
  about:
    'bad configuration: exit 2, names key, value, cure; a misbehaving peer: refused, emitted, counted, harms no other link',
  quick: true,
  seconds: 40,
  async run(context) {
    const { progress } = context
    await using cluster = await startCluster({ env: { OTEL_BSP_SCHEDULE_DELAY: '200' } })
    const seeds = [cluster.address('node')]
    const node = await cluster.node('node', { role: 'seed' })
    const friend = await cluster.node('friend', { seeds })
    const nodes = [node, friend, await cluster.node('other', { seeds })]
    const before = await waitForFullMesh(nodes, meshLimitMs)
    const rss = [(await node.usage()).rssMb]
    const peer = await startMisbehavingPeer(cluster.address('node'), replyLimitMs)
    const checks: Check[] = []
    try {
      progress('a peer sends malformed frames')
      for (const misbehaviour of misbehaviours(friend.peer))
        checks.push(await misbehaviourCheck(cluster, peer, misbehaviour))
      progress(`${random.connections * random.frames} random frames over ${random.connections} connections`)
      const { check, slowestMs } = await randomFramesCheck(cluster, peer, random, context)
      rss.push((await node.usage()).rssMb)
      checks.push(check, ...(await harmChecks(cluster, nodes, peer, before)))
      progress('invalid configurations, and the next census')
      checks.push(...(await configurationChecks()), await censusCheck(cluster))
      rss.push((await node.usage()).rssMb)
      const growth = Math.max(...rss) - (rss[0] ?? Number.NaN)
      checks.push(atMost('growth of the node', growthMostMb, growth, 'MiB'))
      const figures = {
        'RSS before, after, later, MiB': rss.map(round),
        'slowest end of a connection, ms': round(slowestMs),
      }
      return { figures: { ...figures, load: loadavg() }, checks }
    } finally {
      await peer.stop()
    }
  },
})
