import type { Topology } from '../../kit/views.ts'
import { type NodeProcess, startCluster, until } from '../../testing/cluster/cluster.ts'
import type { ReceivedSpan } from '../../testing/otlp/otlp-receiver.ts'
import { endToEnd } from '../end-to-end.ts'
import { nameOf, spansNamed } from '../evidence.ts'
import { atMost, equals, round } from '../proof.ts'
import { deathLimits, startMesh, topologiesOf, waitForFullMesh } from './mesh.ts'

/** Time for spans to arrive. */
const arrivalMs = 8_000
const topic = 'orders'

export const proof = endToEnd({
  name: 'kill',
  about:
    'all others close the link to a killed node within 4 s, expire it within window + 6 s, and remove every mention of it',
  quick: false,
  seconds: 55,
  async run({ random, progress }) {
    await using cluster = await startCluster({ env: { MESH_TOPICS: topic } })
    const all = await startMesh(cluster, 5)
    await waitForFullMesh(all, 30_000)
    const victim = all[Math.floor(random() * all.length)] ?? all[0]
    const others = all.filter((node) => node !== victim)
    const before = await topologiesOf(others)
    progress(`all are linked; killing ${victim.name}`)
    const killedAt = Date.now()
    victim.kill()
    const { spans } = cluster.receiver
    const about = (name: 'mesh.connection.closed' | 'mesh.member.expired') =>
      spansNamed(spans, name).filter((span) => span.attributes['mesh.peer.id'] === victim.peer)
    const isExpired = () => about('mesh.member.expired').length >= others.length
    await until(isExpired, deathLimits.expiredMs + arrivalMs, 'expired by all others').catch(() => {})
    progress(`${about('mesh.member.expired').length} of ${others.length} have expired it`)
    const [closed, expired] = [about('mesh.connection.closed'), about('mesh.member.expired')]
    const silent = closed.filter((span) => span.attributes['mesh.close.reason'] === 'silent')
    const after = (spansOfDeath: readonly ReceivedSpan[]) => spansOfDeath.map(({ endMs }) => round(endMs - killedAt))
    const names = others.map(({ name }) => name)
    const holders = before.filter(holds(victim))
    const checks = [
      equals('nodes that had it in links, members and topics before', others.length, holders.length),
      equals('nodes that emitted their link as closed', joined(names), joined(closed.map(nameOf))),
      equals('of them for silence', others.length, silent.length),
      atMost('last link closed after', deathLimits.closedMs, Math.max(...after(closed)), 'ms'),
      equals('nodes that emitted its expiry, once each', joined(names), joined(expired.map(nameOf))),
      atMost('last expired after', deathLimits.expiredMs, Math.max(...after(expired)), 'ms'),
      equals('others expired', 0, spansNamed(spans, 'mesh.member.expired').length - expired.length),
      equals('nodes that still name it anywhere', 0, (await topologiesOf(others)).filter(mentions(victim)).length),
    ]
    const figures = {
      victim: victim.name,
      closedAfterMs: after(closed),
      expiredAfterMs: after(expired),
      silenceMs: expired.map((span) => span.attributes['mesh.member.silence_ms']),
    }
    return { figures, checks }
  },
})

/** Sorted, for comparison. */
export function joined(names: readonly string[]): string {
  return names.toSorted().join(' ')
}

/** Whether a topology lists this node as a peer, as a member and under its topic. */
function holds({ peer }: NodeProcess): (topology: Topology) => boolean {
  return ({ peers, members, topics }) =>
    peers.some((one) => one.peer === peer) &&
    members.some((one) => one.peer === peer) &&
    topics[topic]?.includes(peer) === true
}

/** Whether a topology contains the peer id anywhere, the links in other members' digests included. */
function mentions({ peer }: NodeProcess): (topology: Topology) => boolean {
  return (topology) => JSON.stringify(topology).includes(peer)
}
