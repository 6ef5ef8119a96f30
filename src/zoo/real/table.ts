import { align } from '../align.ts'
import type { RealResult } from './result.ts'

/** Peers that may join until a disease is named. */
export const mostEvents = 300

/** The results as text: a row per run, in the order of `names`, and what they come to. */
export function realTable(results: readonly RealResult[], names: readonly string[]): string {
  const rows = names.flatMap((name) => results.find((one) => one.name === name) ?? [])
  const header = ['run', 'planted', 'outcome', 'seconds', 'joins', 'took', 'first answer']
  const cells = rows.map(({ name, disease, outcome, seconds, events, tookMs, answer }) => [
    name,
    disease ?? '-',
    outcome,
    seconds === undefined ? '-' : String(seconds),
    events === undefined ? '-' : String(events),
    `${Math.round(tookMs / 1_000)} s`,
    answer || 'nothing',
  ])
  const missing = names.length - rows.length
  const right = rows.filter(isGood).length
  const summary = `right: ${right} of ${rows.length}${missing === 0 ? '' : `; not run yet: ${missing}`}`
  return `${align([header, ...cells])}\n\n${summary}\n`
}

/** Right, and soon enough. */
export function isGood({ outcome, events = 0 }: RealResult): boolean {
  return outcome === 'right' && events <= mostEvents
}
