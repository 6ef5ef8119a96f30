import { loadavg } from 'node:os'
import { endToEnd } from '../end-to-end.ts'
import { atMost, type Check, equals, type Proof, round } from '../proof.ts'
import type { Application } from './application.ts'
import { type Comparison, compareSides, type SideFigures, secondsMeasured } from './comparison.ts'

/** Limits for the cost of the mesh. Stops differ by as much between runs. */
const limits = { cpuRatioMax: 1.1, rssMb: 12, exitMs: 500 }

/** The proof that an application works with the mesh as it does without. */
export function applicationProof(name: string, about: string, application: Application): Proof {
  return endToEnd({
    name,
    about,
    quick: false,
    seconds: Math.round(secondsMeasured * 1.2 + 120),
    async run(context) {
      const comparison = await compareSides(application, context)
      return { figures: figuresOf(comparison, application), checks: checksOf(comparison, application) }
    },
  })
}

function figuresOf({ with: mesh, without: bare, ...both }: Comparison, { processes, rate }: Application) {
  return { secondsMeasured, processes, rate, with: totalsOf(mesh), without: totalsOf(bare), ...both, load: loadavg() }
}

/** The totals of a side, and the counters of each of its processes. */
function totalsOf({ ends, cpu, rss, pss, restedRss, exitMs }: SideFigures) {
  const restedRssMb = restedRss.map(round)
  return { cpuMsPerS: cpu, rssMb: rss, pssMb: pss, restedRssMb, exitMs: exitMs.map(round), ends }
}

function checksOf(comparison: Comparison, application: Application): Check[] {
  const { with: mesh, without: bare, cpuRatio, rssAdded } = comparison
  return [
    ...application.nothingLost('without', bare.ends),
    ...application.nothingLost('with', mesh.ends),
    equals('each process of the mesh has all others as members', application.processes - 1, fewestMembers(mesh)),
    equals('connections closed during the work, without the mesh', 'none', closesOf(bare)),
    equals('connections closed during the work, with the mesh', 'none', closesOf(mesh)),
    equals('faults without the mesh', 'none', faultsOf(bare)),
    equals('faults with the mesh', 'none', faultsOf(mesh)),
    atMost('CPU of a process, with to without', application.cpuRatioMax ?? limits.cpuRatioMax, cpuRatio),
    atMost('memory that the mesh adds to a process', limits.rssMb, rssAdded, 'MiB'),
    atMost('the slowest exit is later by', limits.exitMs, Math.max(...mesh.exitMs) - Math.max(...bare.exitMs), 'ms'),
    equals('the mesh sent spans', true, comparison.spans > 0),
  ]
}

function fewestMembers({ ends }: SideFigures): number {
  return Math.min(...ends.map(({ members }) => members))
}

function closesOf({ ends }: SideFigures): string {
  return joinTexts(ends.flatMap(({ closes }) => Object.entries(closes).map(([by, count]) => `${count} by ${by}`)))
}

function faultsOf({ ends }: SideFigures): string {
  return joinTexts(ends.flatMap(({ faults }) => faults.map((fault) => fault.slice(0, 200))))
}

function joinTexts(texts: readonly string[]): string {
  return texts.length === 0 ? 'none' : texts.join('; ')
}
