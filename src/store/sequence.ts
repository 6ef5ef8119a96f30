/** Received numbers of a process's spans: `mesh.seq` counts from 1. Plain data, stored as JSON. */
export interface Sequence {
  /** Highest number received; 0 before the first. */
  readonly last: number
  /** Ranges of missing numbers below it, ascending. */
  readonly gaps: readonly Gap[]
  /** Numbers in dropped gaps; they stay missing even if they arrive later. */
  readonly forgotten: number
}

export type Gap = readonly [from: number, to: number]

export const emptySequence: Sequence = { last: 0, gaps: [], forgotten: 0 }

/** Most gaps; the oldest are dropped and stay missing. A node whose exports fail leaves one per failure. */
const maxGaps = 128

/** Numbers may repeat and come in any order; those below 1 are ignored. */
export function addNumbers(sequence: Sequence, numbers: readonly number[]): Sequence {
  let { last, forgotten } = sequence
  let gaps = [...sequence.gaps]
  for (const number of numbers) {
    if (number > last) {
      if (number > last + 1) gaps.push([last + 1, number - 1])
      last = number
    } else if (number >= 1) gaps = splitGap(gaps, number)
  }
  for (const [from, to] of gaps.splice(0, gaps.length - maxGaps)) forgotten += to - from + 1
  return { last, gaps, forgotten }
}

/** Counts the missing numbers from 1 to the highest. */
export function countMissing({ gaps, forgotten }: Sequence): number {
  return gaps.reduce((sum, [from, to]) => sum + to - from + 1, forgotten)
}

function splitGap(gaps: Gap[], number: number): Gap[] {
  const at = gaps.findLastIndex(([from]) => from <= number)
  const [from, to] = gaps[at] ?? [0, 0]
  // Not in a gap: a duplicate.
  if (number > to) return gaps
  const left: Gap[] = number > from ? [[from, number - 1]] : []
  const right: Gap[] = number < to ? [[number + 1, to]] : []
  return gaps.toSpliced(at, 1, ...left, ...right)
}
