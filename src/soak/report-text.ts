import { hang } from '../commands/text-list.ts'
import { diseaseOf } from '../doctor/diseases.ts'
import { bytesText } from '../doctor/report/amounts.ts'
import { type Column, cut, table } from '../lab/lines.ts'
import type { CountRow } from './counts.ts'
import { largestBound } from './emit-verdict.ts'
import type { MemoryBound } from './memory-bounds.ts'
import type { SoakReport } from './report.ts'
import { sparkline } from './sparkline.ts'
import { leakText } from './verdict.ts'

/** Counts that a report for people shows. */
const shownCounts = 16

export const memoryColumns: readonly Column<MemoryBound>[] = [
  { head: 'node', of: ({ node }) => node },
  { head: 'memory', of: ({ kind }) => kind },
  { head: 'then', of: ({ floors, from }) => (floors.length === 0 ? '-' : bytesText(from)) },
  { head: 'now', of: ({ floors, to }) => (floors.length === 0 ? '-' : bytesText(to)) },
  { head: 'per life', of: ({ perLife }) => (perLife === undefined ? '-' : bytesText(perLife.slope)) },
  {
    head: '90 % within',
    of: ({ perLife }) => (perLife === undefined ? '-' : `${bytesText(perLife.low)} to ${bytesText(perLife.high)}`),
  },
  { head: 'floors', of: ({ floors }) => sparkline(floors) },
]

export const countColumns: readonly Column<CountRow>[] = [
  { head: 'counted', of: ({ what }) => what },
  { head: 'then', of: ({ before }) => before },
  { head: 'now', of: ({ after }) => after },
  { head: 'rise', of: ({ rise }) => rise },
  { head: 'per life', of: ({ perLife }) => perLife.toFixed(3) },
  {
    head: 'most at',
    of: ({ worst, byDesign }) => (byDesign === undefined ? worst.node : `${worst.node}; ${byDesign}`),
  },
]

/** The report for a terminal of `columns`. */
export function reportLines(report: SoakReport, columns?: number): string[] {
  const { counts, memory } = report
  const risen = risenCounts(report)
  const lines = [headline(report), ...noteLines(report)].flatMap((line) => hang('', line, columns))
  const tables = [
    ...(memory.length > 0 ? ['', ...table(memoryColumns, memory)] : []),
    ...(risen.length > 0 ? ['', ...table(countColumns, risen)] : []),
  ]
  const rest = counts.length > 0 ? [`${counts.length - risen.length} further counts did not rise, or less`] : []
  const fitting = columns === undefined ? tables : tables.map((line) => cut(line, columns))
  return [...lines, ...fitting, ...rest]
}

/** The verdict in one sentence, with its bounds. */
export function headline(report: SoakReport): string {
  const { verdict, leaks } = report
  const [first] = leaks
  if (first !== undefined)
    return `leak: ${diseaseOf(first.disease).title} at ${first.owner.node || first.owner.mesh}, ${first.owner.part}`
  const bounds = boundsText(report)
  return verdict === 'pass'
    ? `pass: no leak, ${bounds}`
    : `undecided${bounds === '' ? '' : `: no leak found, ${bounds}`}`
}

function boundsText(report: SoakReport): string {
  const { countedPart } = report
  const [heap, external] = (['heap', 'external'] as const).map((kind) => largestBound(report, kind))
  return [
    ...(heap === undefined ? [] : [`at most ${bytesText(Math.max(0, heap))} of heap`]),
    ...(external === undefined ? [] : [`${bytesText(Math.max(0, external))} outside it per life`]),
    ...(countedPart === null
      ? []
      : [`and nothing counted that one of ${Math.max(1, Math.floor(1 / countedPart))} lives leaves`]),
  ].join(', ')
}

/** Everything else that is to be said in sentences. */
export function noteLines({ verdict, reasons, remarks, churn, leaks, others, seconds, spans }: SoakReport): string[] {
  const { lives, failed, achieved, failures } = churn
  return [
    `${lives} lives at ${achieved} per second, ${failed} failed; ${seconds} s, ${spans} spans`,
    ...reasons.map((reason) => `${verdict === 'leak' ? 'leak' : 'undecided'}: ${reason}`),
    ...leaks.map(({ disease }) => `what to do: ${diseaseOf(disease).remedy}`),
    ...remarks.map((remark) => `note: ${remark}`),
    ...failures.slice(0, 2).map((failure) => `a life failed: ${failure}`),
    ...others.map((finding) => `also found: ${leakText(finding)}`),
  ]
}

export function risenCounts({ counts }: SoakReport): readonly CountRow[] {
  return counts.filter(({ rise }) => rise > 0).slice(0, shownCounts)
}
