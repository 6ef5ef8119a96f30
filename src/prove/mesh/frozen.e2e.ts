import { setTimeout as sleep } from 'node:timers/promises'
import { startCluster } from '../../testing/cluster/cluster.ts'
import { endToEnd } from '../end-to-end.ts'
import { emitterOf, numberOf, spansNamed } from '../evidence.ts'
import { atLeast, atMost, equals } from '../proof.ts'
import { chattyNode, completeExchanges, countMessages, slowestMs, waitForExchange } from './chat.ts'
import { startMesh, waitForFullMesh } from './mesh.ts'

const frozenMs = 45_000
const exchangeLimitMs = 15_000
/** It may expire no member for this long after it wakes: two windows. */
const noExpiryMs = 60_000

export const proof = endToEnd({
  name: 'frozen',
  about: 'a node frozen for 45 s expires no member when it wakes, and exchanges messages with all within 15 s',
  quick: false,
  seconds: 125,
  async run({ random, progress, signal }) {
    await using cluster = await startCluster()
    const all = await startMesh(cluster, 5, chattyNode(cluster))
    await waitForFullMesh(all, 30_000)
    const sleeper = all[Math.floor(random() * all.length)] ?? all[0]
    const others = all.filter((node) => node !== sleeper)
    progress(`freezing ${sleeper.name} for ${frozenMs / 1_000} s`)
    sleeper.pause()
    await sleep(frozenMs, undefined, { signal })
    const wokeAt = Date.now()
    sleeper.resume()
    const exchanges = await waitForExchange(sleeper, others, wokeAt, exchangeLimitMs + 10_000)
    progress(`messages both ways after ${slowestMs(exchanges)} ms; watching its expiries`)
    const links = await waitForFullMesh([sleeper, ...others], 20_000)
    const linkedMs = Date.now() - wokeAt
    await sleep(wokeAt + noExpiryMs - Date.now(), undefined, { signal })
    const after = countMessages(all, wokeAt + exchangeLimitMs, wokeAt + noExpiryMs - 1_000)
    const code = await sleeper.stop()
    const spans = cluster.receiver.spans
    const own = spans.filter((span) => emitterOf(span) === sleeper.peer)
    const stalls = spansNamed(own, 'mesh.node.stalled')
    const expiredByOthers = spansNamed(spans, 'mesh.member.expired').filter((span) => emitterOf(span) !== sleeper.peer)
    const sleptMs = stalls.map((span) => numberOf(span, 'mesh.stall.slept_ms'))
    const suspended = spansNamed(own, 'mesh.staleness.pruned').filter(
      (span) => span.attributes['mesh.pruned.suspended'],
    )
    const checks = [
      equals('others that expired it while it was frozen', others.length, expiredByOthers.length),
      equals('members it expired', 0, spansNamed(own, 'mesh.member.expired').length),
      equals('stalls it emitted', 1, stalls.length),
      atLeast('emitted sleep', frozenMs - 5_000, Math.max(...sleptMs), 'ms'),
      atLeast('sweeps in which it suspended expiry', 1, suspended.length),
      equals('others it exchanges messages with', 5, completeExchanges(exchanges).length),
      atMost('messages both ways with all, after it wakes', exchangeLimitMs, slowestMs(exchanges), 'ms'),
      atLeast('messages published by all from then on', 264, after.published),
      equals('of them not received by another node', 0, after.missed),
      equals('links on QUIC, one per pair', 15, links.filter(({ transport }) => transport === 'quic').length),
      equals('exit code after SIGTERM', 0, code),
    ]
    const figures = {
      sleeper: sleeper.name,
      exchanges,
      after,
      linkedMs,
      sleptMs,
      suspendedSweeps: suspended.length,
    }
    return { figures, checks }
  },
})
