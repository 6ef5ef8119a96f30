import { loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { startCluster } from '../../testing/cluster.ts'
import { emitterOf, numberOf, spansNamed } from '../evidence.ts'
import { atLeast, atMost, equals, type Proof } from '../proof.ts'
import { chattyNode, countMessages, slowestMs, waitForExchange } from './chat.ts'
import { waitForFullMesh } from './mesh.ts'

const frozenMs = 45_000
const backMs = 15_000
/** For how long after it woke nobody may be expired by it: two windows. */
const patienceMs = 60_000

export const proof: Proof = {
  name: 'frozen',
  about: 'a node that is stopped for 45 s expires nobody when it wakes, and exchanges messages with all within 15 s',
  quick: false,
  seconds: 125,
  async run({ random, progress }) {
    await using cluster = await startCluster()
    const seeds = [cluster.address('seed')]
    const seed = await chattyNode(cluster, 'seed', { role: 'seed' })
    const names = Array.from({ length: 5 }, (_, index) => `node-${index + 1}`)
    const rest = await Promise.all(names.map((name) => chattyNode(cluster, name, { seeds })))
    await waitForFullMesh([seed, ...rest], 30_000)
    const all = [seed, ...rest]
    const sleeper = all[Math.floor(random() * all.length)] ?? seed
    const others = all.filter((node) => node !== sleeper)
    progress(`freezing ${sleeper.name} for ${frozenMs / 1_000} s`)
    sleeper.pause()
    await sleep(frozenMs)
    const wokenAt = Date.now()
    sleeper.resume()
    const ways = await waitForExchange(sleeper, others, wokenAt, backMs + 10_000)
    progress(`messages both ways after ${slowestMs(ways)} ms; watching whom it expires`)
    const links = await waitForFullMesh([sleeper, ...others], 20_000)
    const settledMs = Date.now() - wokenAt
    await sleep(wokenAt + patienceMs - Date.now())
    const after = countMessages(all, wokenAt + backMs, wokenAt + patienceMs - 1_000)
    const code = await sleeper.stop()
    const spans = cluster.receiver.spans
    const own = spans.filter((span) => emitterOf(span) === sleeper.peer)
    const stalls = spansNamed(own, 'mesh.node.stalled')
    const expired = spansNamed(spans, 'mesh.member.expired')
    const suspended = spansNamed(own, 'mesh.staleness.pruned').filter(
      (span) => span.attributes['mesh.pruned.suspended'],
    )
    const checks = [
      equals(
        'others that expired it while it slept',
        others.length,
        expired.filter((span) => emitterOf(span) !== sleeper.peer).length,
      ),
      equals('members it expired', 0, spansNamed(own, 'mesh.member.expired').length),
      equals('stalls it told', 1, stalls.length),
      atLeast(
        'told sleep',
        frozenMs - 5_000,
        Math.max(...stalls.map((span) => numberOf(span, 'mesh.stall.slept_ms'))),
        'ms',
      ),
      atLeast('sweeps in which it suspended its judgement', 1, suspended.length),
      equals('others it exchanges messages with', 5, ways.filter((way) => slowestMs([way]) < Infinity).length),
      atMost('messages both ways with all, from its waking', backMs, slowestMs(ways), 'ms'),
      atLeast('messages said by all from then on', 264, after.said),
      equals('of them missed by anybody', 0, after.missed),
      equals('links on QUIC, one per pair', 15, links.filter(({ transport }) => transport === 'quic').length),
      equals('exit code after SIGTERM', 0, code),
    ]
    const figures = {
      sleeper: sleeper.name,
      ways,
      after,
      settledMs,
      sleptMs: stalls.map((span) => numberOf(span, 'mesh.stall.slept_ms')),
      suspendedSweeps: suspended.length,
      loadavg: loadavg(),
    }
    return { figures, checks }
  },
}
