import { instanceOf } from './frames.ts'
import type { Link } from './link.ts'

export type SurvivorRule = 'incarnation' | 'counter' | 'lower-peer' | 'newer' | 'incumbent'

export interface Judgement {
  readonly winner: Link
  readonly loser: Link
  readonly rule: SurvivorRule
}

/**
 * Chooses the winner of two links of one pair. It uses only the contents of the hellos and no times, so both ends
 * choose the same link in any order of events: a link to an earlier incarnation loses; of two dials of one side the
 * later wins; of crossed dials that of the lower peer id wins.
 */
export function chooseSurvivor(self: string, peer: string, a: Link, b: Link): Judgement {
  const incarnations = (a.hello?.incarnation ?? 0) - (b.hello?.incarnation ?? 0)
  if (incarnations !== 0) return judgement(incarnations > 0, a, b, 'incarnation')
  if (a.info.direction === b.info.direction) return judgement((a.counter ?? 0) > (b.counter ?? 0), a, b, 'counter')
  const lowerDialled = self < peer ? 'outbound' : 'inbound'
  return judgement(a.info.direction === lowerDialled, a, b, 'lower-peer')
}

/** Two processes of one identity would supersede each other forever, so the link that joined first stays. */
export function chooseIncumbent(a: Link, b: Link): Judgement {
  return judgement(a.enteredAt <= b.enteredAt, a, b, 'incumbent')
}

/** The processes at the other ends of these links; undefined where a link has no hello. */
export function instancesOf(a: Link, b: Link): readonly [string, string] | undefined {
  return a.hello && b.hello && [instanceOf(a.hello), instanceOf(b.hello)]
}

function judgement(aWins: boolean, a: Link, b: Link, rule: SurvivorRule): Judgement {
  return aWins ? { winner: a, loser: b, rule } : { winner: b, loser: a, rule }
}
