import type { Instance } from '../evidence/instance.ts'
import type { Point } from '../evidence/series.ts'
import type { Finding } from '../finding.ts'
import { beyondLoad, judgeGrowth, partOf, pointsOf, type Rise, valueAt } from '../judgement/growth.ts'
import type { Rule } from '../rule.ts'

/** CPU seconds per second: an idle node uses 0.005, and one that retries its seeds hardly more. */
const leastUsage = 0.15
/** A new process loads and compiles its code. */
const startMs = 30_000
/** Milliseconds without a peer, over which the usage is measured. */
const leastMs = 55_000
/** CPU seconds per second by which the usage creeps up, and what a connection may use. */
const [leastCreep, perConnection] = [0.15, 0.02]
/** What a node does besides may rise by this factor in the same time. */
const mostWork = 1.5
/** Counts of dials under way, and how many of them no mesh needs at once: then the mesh itself computes more. */
const [dials, manyDials] = [['mesh.audit.dial_queue', 'mesh.audit.pending_out'], 4] as const
/** Cumulative counts of that. */
const work = ['mesh.audit.frames_in', 'mesh.audit.frames_out', 'mesh.audit.opened_total']

/** A process that computes without a peer, or more and more while its peers and their messages stay the same. */
export const busyAlone: Rule = {
  name: 'busy-alone',
  find: ({ instances }) => instances.flatMap((instance) => lonelyFinding(instance) ?? creepingFinding(instance) ?? []),
}

function lonelyFinding(instance: Instance): Finding | undefined {
  const connections = pointsOf(instance, 'mesh.audit.connections')
  const cpu = cpuOf(instance)
  const lonely = cpu.slice(cpu.findLastIndex(({ atMs }) => valueAt(connections, atMs) > 0) + 1)
  const [first, last] = [lonely[0], lonely.at(-1)]
  if (connections.length === 0 || first === undefined || last === undefined) return undefined
  const ms = last.atMs - first.atMs
  const usage = (1_000 * (last.value - first.value)) / ms
  if (ms < leastMs || usage < leastUsage) return undefined
  const summary = `it used ${percent(usage)} of a CPU for ${Math.round(ms / 1_000)} s without a peer`
  return finding(instance, first.atMs, summary)
}

function creepingFinding(instance: Instance): Finding | undefined {
  const usage = ratesOf(cpuOf(instance))
  const judgement = judgeGrowth(beyondLoad(instance, usage, perConnection), leastCreep)
  if (judgement.is !== 'rises') return undefined
  const { since, last } = judgement.rise
  if (valueAt(usage, last.atMs) - valueAt(usage, since.atMs) < leastCreep) return undefined
  if (work.some((key) => doesMore(pointsOf(instance, key), judgement.rise))) return undefined
  const [from, to] = [since, last].map(({ atMs }) => percent(valueAt(usage, atMs)))
  const summary = `its use of CPU rose from ${from} to ${to}, and its peers and frames did not`
  const found = finding(instance, since.atMs, summary)
  if (dials.some((key) => areMany(pointsOf(instance, key), judgement.rise))) return found
  // The application of the process may compute more, which nothing in its traces says.
  return { ...found, certainty: 'insufficient', missing: 'a CPU profile: the application may compute more' }
}

function cpuOf(instance: Instance): readonly Point[] {
  return pointsOf(instance, 'process.cpu.time').filter(({ atMs }) => atMs >= instance.firstMs + startMs)
}

/** Rise per second between each point and the one before it. */
function ratesOf(points: readonly Point[]): Point[] {
  return points.slice(1).map(({ atMs, value }, index) => {
    const before = points[index] as Point
    return { atMs, value: (1_000 * (value - before.value)) / Math.max(1, atMs - before.atMs) }
  })
}

/** Whether a cumulative count rose faster in the last third of a rise than in the first. */
function doesMore(points: readonly Point[], { since, last }: Rise): boolean {
  const third = (last.atMs - since.atMs) / 3
  const riseFrom = (atMs: number) => valueAt(points, atMs + third) - valueAt(points, atMs)
  return riseFrom(last.atMs - third) > mostWork * riseFrom(since.atMs)
}

/** Whether more dials are under way in the second half of a rise than in the first, and more than a mesh needs. */
function areMany(points: readonly Point[], { since, last }: Rise): boolean {
  const middle = (since.atMs + last.atMs) / 2
  const mostIn = (fromMs: number, toMs: number) =>
    Math.max(0, ...points.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs).map(({ value }) => value))
  return mostIn(middle, last.atMs) >= Math.max(manyDials, mostWork * mostIn(since.atMs, middle))
}

function percent(usage: number): string {
  return `${Math.round(100 * usage)} %`
}

function finding(instance: Instance, sinceMs: number, summary: string): Finding {
  const owner = partOf(instance, 'process')
  return { disease: 'busy-alone', owner, certainty: 'likely', sinceMs, summary, proof: instance.censuses }
}
