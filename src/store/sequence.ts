/** What has come of a process's numbered spans: `mesh.seq` counts from 1. Plain data, so that it can be kept as JSON. */
export interface Sequence {
  /** Highest number that came; 0 when none did. */
  readonly last: number
  /** Numbers below it that have not come, from and to, ascending. */
  readonly gaps: readonly Gap[]
  /** Numbers in gaps that are no longer kept apart: what comes of them later is not known to be theirs. */
  readonly forgotten: number
}

export type Gap = readonly [from: number, to: number]

export const emptySequence: Sequence = { last: 0, gaps: [], forgotten: 0 }

/** Gaps kept apart; above that the oldest stays lost whatever comes. A node whose exports fail leaves one per failure. */
const mostGaps = 128

/** Numbers may come in any order and more than once; those below 1 are none. */
export function withNumbers(sequence: Sequence, numbers: readonly number[]): Sequence {
  let { last, forgotten } = sequence
  let gaps = [...sequence.gaps]
  for (const number of numbers) {
    if (number > last) {
      if (number > last + 1) gaps.push([last + 1, number - 1])
      last = number
    } else if (number >= 1) gaps = filled(gaps, number)
  }
  for (const [from, to] of gaps.splice(0, gaps.length - mostGaps)) forgotten += to - from + 1
  return { last, gaps, forgotten }
}

/** How many of 1 to the highest have not come. */
export function missingOf({ gaps, forgotten }: Sequence): number {
  return gaps.reduce((sum, [from, to]) => sum + to - from + 1, forgotten)
}

function filled(gaps: Gap[], number: number): Gap[] {
  const at = gaps.findLastIndex(([from]) => from <= number)
  const [from, to] = gaps[at] ?? [0, 0]
  // Not in a gap: it has come before.
  if (number > to) return gaps
  const left: Gap[] = number > from ? [[from, number - 1]] : []
  const right: Gap[] = number < to ? [[number + 1, to]] : []
  return gaps.toSpliced(at, 1, ...left, ...right)
}
