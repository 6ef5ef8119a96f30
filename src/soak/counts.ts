import { retentionMsOf } from '../doctor/judgement/registry-counts.ts'
import { longestOf, type Settings } from '../doctor/judgement/settings.ts'
import { thresholds } from '../doctor/judgement/thresholds.ts'
import type { ProcessReading, Reading } from './reading.ts'

/** One counted thing, over all processes that both readings have. */
export interface CountRow {
  readonly what: string
  readonly before: number
  readonly after: number
  readonly rise: number
  readonly perLife: number
  /** Where it rose most. */
  readonly worst: { readonly node: string; readonly rise: number }
  /** Why a rise is no leak. */
  readonly byDesign?: string
}

/** The doctor judges a rise of so many entries. */
export const leastRise = thresholds.registry.least
/** Part of the lives that something which each of them leaves behind has at least. */
export const leastPart = 0.1

/** What both readings count, the largest rise first. `lives` are those between them; each reading is after a rest. */
export function compareCounts(before: Reading, after: Reading, lives: number, restMs: number): CountRow[] {
  const pairs = after.processes.flatMap((now): (readonly [ProcessReading, ProcessReading])[] => {
    const then = before.processes.find(({ instance }) => instance === now.instance)
    return then === undefined ? [] : [[then, now]]
  })
  const names = new Set(pairs.flatMap(([then, now]) => [...Object.keys(then.counts), ...Object.keys(now.counts)]))
  return [...names]
    .map((what) => rowOf(what, pairs, lives, restMs))
    .toSorted((a, b) => b.rise - a.rise || a.what.localeCompare(b.what, 'en'))
}

/** A count that rises with the lives at one node: a leak that no rule names, or the settling was too short. */
export function isUnexplained({ worst, byDesign }: CountRow, lives: number): boolean {
  return byDesign === undefined && worst.rise >= Math.max(leastRise, leastPart * lives)
}

function rowOf(
  what: string,
  pairs: readonly (readonly [ProcessReading, ProcessReading])[],
  lives: number,
  restMs: number,
): CountRow {
  const values = pairs.map(([then, now]) => ({
    node: now.node,
    before: then.counts[what] ?? 0,
    after: now.counts[what] ?? 0,
  }))
  const sum = (of: (one: (typeof values)[number]) => number) => values.reduce((total, one) => total + of(one), 0)
  const [before, after] = [sum((one) => one.before), sum((one) => one.after)]
  const [most] = values.toSorted((a, b) => b.after - b.before - (a.after - a.before))
  const byDesign = designOf(what, restMs, longestOf(pairs.map(([, now]) => now.settings)))
  return {
    what,
    before,
    after,
    rise: after - before,
    perLife: lives > 0 ? (after - before) / lives : 0,
    worst: { node: most?.node ?? '', rise: most === undefined ? 0 : most.after - most.before },
    ...(byDesign !== undefined && { byDesign }),
  }
}

/** Expired entries leave at one of the next sweeps. */
const [sweepMs, sweeps] = [20_000, 2]
/** Gossipsub’s records of messages and of peers that left with a penalty or a backoff. */
const gossipMs = 4_500_000
const ofGossip = /^gossip\.(seen|cached|deliveries|promises|backoff|scores|score_cache|peer_ips)$/

/** What a table retains for a while whatever happens, unless the rest was longer. */
function designOf(what: string, restMs: number, settings: Settings): string | undefined {
  const registry = /^registry (\S+) of /.exec(what)?.[1] ?? ''
  const keptMs = retentionMsOf(registry, settings) ?? (ofGossip.test(what) ? gossipMs : undefined)
  if (registry === 'messages') return 'a ring, full by design'
  if (keptMs === undefined || restMs >= keptMs + Math.max(sweepMs, sweeps * settings.sweepMs)) return undefined
  return `entries stay for ${keptMs >= 600_000 ? `${Math.round(keptMs / 60_000)} min` : `${keptMs / 1_000} s`} by design`
}
