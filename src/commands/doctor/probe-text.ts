import { bytesText } from '../../doctor/report/amounts.ts'
import { printable } from '../../doctor/report/printable.ts'
import { duration } from '../../page/model/text.ts'
import type { GrowthAnswer } from '../../pprof/growth-answer.ts'
import { hang } from '../text-list.ts'
import { growingSites, shareOf } from './probe-spans.ts'

/** Sites for people. */
const maxSites = 5

/** What a probe found, for people. */
export function probeLines(given: GrowthAnswer, columns?: number): string[] {
  const answer = printable(given)
  const { process, seconds, total, counts = [] } = answer
  const sites = growingSites(answer).slice(0, maxSites)
  const name = `${process.node} of ${process.mesh}`
  const what = `what ${name} allocated within ${duration(seconds * 1_000)} and keeps: ${bytesText(total.middle)} in the middle, ${bytesText(total.end)} at the end`
  const grown = counts.filter(({ middle, end }) => end > middle)
  const rows = [
    what,
    ...sites.map((site) => {
      const percent = `${Math.round(100 * shareOf(answer, site))} %`
      const where = site.file === '' ? '' : ` at ${site.file}:${site.line}`
      return `+${bytesText(site.end - site.middle)}, ${percent} of all growth: ${site.name}${where}`
    }),
    ...(sites.length === 0 ? ['no function holds more at the end than in the middle'] : []),
    ...(counts.length === 0
      ? []
      : [
          `objects: ${grown.map(({ name: kind, middle, end }) => `${kind} ${middle} to ${end}`).join(', ') || 'of no constructor more at the end'}`,
        ]),
  ]
  return rows.flatMap((row, index) => hang((index === 0 ? 'probe' : '').padEnd(11), row, columns))
}
