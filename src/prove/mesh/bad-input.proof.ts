import { loadavg } from 'node:os'
import { startCluster } from '../../testing/cluster.ts'
import { startRudePeer } from '../../testing/rude-peer.ts'
import { atMost, type Check, type Proof, round } from '../proof.ts'
import { misbehaviours } from './malformed-frames.ts'
import { waitForFullMesh } from './mesh.ts'
import { censusCheck, harmChecks, misbehaviourCheck, randomFramesCheck } from './misbehaving-peer.ts'
import { configurationChecks } from './refused-configurations.ts'

const settleMs = 30_000
const rudeLimitMs = 10_000
const growthMostMb = 32
const random = { connections: 50, frames: 200 }

export const proof: Proof = {
  name: 'bad-input',
  about:
    'bad configuration: exit 2, names key, value, cure; a peer that speaks badly: refused, told, counted, harms nobody',
  quick: true,
  seconds: 40,
  async run(context) {
    const { progress } = context
    await using cluster = await startCluster({ env: { OTEL_BSP_SCHEDULE_DELAY: '200' } })
    const seeds = [cluster.address('node')]
    const node = await cluster.node('node', { role: 'seed' })
    const friend = await cluster.node('friend', { seeds })
    const nodes = [node, friend, await cluster.node('other', { seeds })]
    const before = await waitForFullMesh(nodes, settleMs)
    const rss = [(await node.usage()).rssMb]
    const rude = await startRudePeer(cluster.address('node'), rudeLimitMs)
    const checks: Check[] = []
    try {
      progress('a peer says what it must not')
      for (const rudeness of misbehaviours(friend.peer)) checks.push(await misbehaviourCheck(cluster, rude, rudeness))
      progress(`${random.connections * random.frames} random frames over ${random.connections} connections`)
      const { check, slowestMs } = await randomFramesCheck(cluster, rude, random, context)
      rss.push((await node.usage()).rssMb)
      checks.push(check, ...(await harmChecks(cluster, nodes, rude, before)))
      progress('configurations that no node may start with, and the next census')
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
      await rude.stop()
    }
  },
}
