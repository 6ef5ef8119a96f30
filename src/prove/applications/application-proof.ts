import { loadavg } from 'node:os'
import { atMost, type Check, equals, type Proof, round } from '../proof.ts'
import type { Application } from './application.ts'
import { type Comparison, compareSides, type SideFigures, secondsMeasured } from './comparison.ts'

/** What the mesh may cost an application. Stops differ by as much from one run to the next. */
const allowed = { cpuRatioMax: 1.1, rssMb: 12, exitMs: 500 }

/** The proof that an application fares with the mesh as it does without. */
export function applicationProof(name: string, about: string, application: Application): Proof {
  return {
    name,
    about,
    quick: false,
    seconds: Math.round(secondsMeasured * 1.2 + 120),
    async run(context) {
      const compared = await compareSides(application, context)
      return { figures: figuresOf(compared, application), checks: checksOf(compared, application) }
    },
  }
}

function figuresOf({ with: mesh, without: bare, ...both }: Comparison, { processes, rate }: Application) {
  return { secondsMeasured, processes, rate, with: shown(mesh), without: shown(bare), ...both, load: loadavg() }
}

/** The totals of a side, and what each of its processes counted. */
function shown({ ends, cpu, rss, pss, restedRss, exitMs }: SideFigures) {
  const restedRssMb = restedRss.map(round)
  return { cpuMsPerS: cpu, rssMb: rss, pssMb: pss, restedRssMb, exitMs: exitMs.map(round), ends }
}

function checksOf(compared: Comparison, application: Application): Check[] {
  const { with: mesh, without: bare, cpuRatio, rssAdded } = compared
  return [
    ...application.nothingLost('without', bare.ends),
    ...application.nothingLost('with', mesh.ends),
    equals('each process of the mesh knows all others', application.processes - 1, fewestMembers(mesh)),
    equals('connections closed while it worked, without the mesh', 'none', closesOf(bare)),
    equals('connections closed while it worked, with the mesh', 'none', closesOf(mesh)),
    equals('faults without the mesh', 'none', faultsOf(bare)),
    equals('faults with the mesh', 'none', faultsOf(mesh)),
    atMost('CPU of a process, with to without', application.cpuRatioMax ?? allowed.cpuRatioMax, cpuRatio),
    atMost('memory that the mesh adds to a process', allowed.rssMb, rssAdded, 'MiB'),
    atMost('the slowest exit is later by', allowed.exitMs, Math.max(...mesh.exitMs) - Math.max(...bare.exitMs), 'ms'),
    equals('the mesh sent spans', true, compared.spans > 0),
  ]
}

function fewestMembers({ ends }: SideFigures): number {
  return Math.min(...ends.map(({ members }) => members))
}

function closesOf({ ends }: SideFigures): string {
  return listed(ends.flatMap(({ closes }) => Object.entries(closes).map(([by, count]) => `${count} by ${by}`)))
}

function faultsOf({ ends }: SideFigures): string {
  return listed(ends.flatMap(({ faults }) => faults.map((fault) => fault.slice(0, 200))))
}

function listed(texts: readonly string[]): string {
  return texts.length === 0 ? 'none' : texts.join('; ')
}
