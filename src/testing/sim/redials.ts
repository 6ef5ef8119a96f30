import { delayMs } from '../../core/backoff.ts'
import type { ConnectionInfo, NodeEffect, NodeEvent } from '../../core/events.ts'
import type { Random } from '../../core/machine.ts'
import { MeshNode } from '../../core/mesh-node.ts'
import { Owner } from '../../core/owner.ts'
import { SeedDialler } from '../../core/seed-dialler.ts'
import { refusal, SeedPlayer } from '../core/seed-player.ts'
import { digestOf } from '../core/view-fixture.ts'
import { VirtualClock } from './virtual-clock.ts'

/** Many nodes lose one seed at the same moment, for good: the virtual times at which each of them dials it. */

export const attempts = 10
/** A dial to a port without an answer lasts until its time limit. */
const attemptMs = 10_000
const lostAt = 60_000
/** Covers ten attempts and the longest waits between them. */
const observedMs = 300_000
const seed = '/dns4/seed.example/tcp/4001'

/** The seed dialler alone of a node that also has other peers. */
export function redials(random: Random, spread: Random): number[] {
  const dialler = new SeedDialler([seed], { random, sampleJitter: spread })
  const player = new SeedPlayer(dialler, (_, at) => ({ afterMs: attemptMs, ...(at === 0 ? { peer: 'seed' } : {}) }))
  player.send({ type: 'peers', count: 2 })
  player.runUntil(lostAt)
  player.send({ type: 'disconnected', peer: 'seed' })
  player.runUntil(lostAt + observedMs)
  return player.dials().slice(1)
}

/** The same with an independent random wait per attempt, for comparison; no node does this. */
export function redialsWithIndependentWaits(random: Random): number[] {
  const times = [lostAt + delayMs(1, random())]
  for (let n = 1; n < attempts; n++) times.push((times[n - 1] ?? 0) + attemptMs + delayMs(n, random()))
  return times
}

/** Short staleness: the other members expire soon after the loss, since thousands of them cost time. */
const config = {
  ...({ role: 'compute', meshes: ['mesh-a'], incarnation: 1, build: 'test' } as const),
  stalenessMs: 1_000,
  sweepMs: 1_000,
  digestMs: 60_000,
  gossipDigestMs: 60_000,
  neighbours: 8,
  connectionsHigh: 300,
}

/** The same with a complete node, which learns its members by gossip shortly before the loss. */
export function redialsOfNode(self: string, others: readonly string[], random: Random): number[] {
  const clock = new VirtualClock()
  const node = new MeshNode(new Owner(self, clock), { ...config, self, name: self, seeds: [seed], random })
  const dials: number[] = []
  const send = (event: NodeEvent) => {
    for (const effect of node.handle(event, clock.now())) perform(effect)
    arm()
  }
  const perform = (effect: NodeEffect) => {
    if (effect.do === 'dial.peer')
      clock.after(0, () => send({ type: 'peer.dialled', peer: effect.peer, ok: false, failure: refusal }))
    if (effect.do !== 'dial.seed') return
    dials.push(clock.now())
    const first = dials.length === 1
    if (first) clock.after(0, () => send({ type: 'seed.answered', seed, peer: 'seed', address: seed }))
    else clock.after(attemptMs, () => send({ type: 'seed.failed', seed, failure: refusal }))
  }
  let cancel = () => {}
  const arm = () => {
    cancel()
    cancel = clock.after(Math.max(0, node.deadline() - clock.now()), () => send({ type: 'tick' }))
  }
  send({ type: 'started', settings: [] })
  send({ type: 'observed', connections: [connection('seed'), connection('friend')] })
  clock.runUntil(lostAt - 10)
  for (const peer of others) {
    // Skips its own digest, which would mean another process with this identity.
    if (peer === self) continue
    const digest = digestOf(peer, { intervalMs: 100 })
    send({ type: 'gossip', mesh: 'mesh-a', from: peer, digest, wall: digest.sentAt })
  }
  clock.runUntil(lostAt)
  send({ type: 'observed', connections: [connection('friend')] })
  clock.runUntil(lostAt + observedMs)
  return dials.slice(1)
}

function connection(peer: string): ConnectionInfo {
  return { id: `to ${peer}`, peer, direction: 'outbound', address: '/memory/1', transport: 'memory', gossip: 'none' }
}

/** Dials of attempt `k` in its busiest second, over the mean of its window: the time in which attempt k may fall. */
export function peakOverMean(dials: readonly (readonly number[])[], k: number): number {
  let widthMs = delayMs(1, 1) / 2
  for (let n = 1; n < k; n++) widthMs += delayMs(n, 1) / 2
  const seconds = Map.groupBy(dials, (times) => Math.floor((times[k - 1] ?? 0) / 1_000))
  const fullest = Math.max(...[...seconds.values()].map(({ length }) => length))
  return fullest / (dials.length / (widthMs / 1_000))
}

/** The highest `peakOverMean` of attempts 6 to 10. */
export function worstFromSixth(dials: readonly (readonly number[])[]): number {
  return Math.max(...[6, 7, 8, 9, 10].map((k) => peakOverMean(dials, k)))
}
