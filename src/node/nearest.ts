/** The candidate closest to `text` by edit distance; empty when none is close. */
export function nearest(text: string, candidates: readonly string[]): string {
  let best = ''
  // With more than a third of the letters wrong it is no typo.
  let bestDistance = Math.floor(text.length / 3) + 1
  for (const candidate of candidates) {
    const edits = distance(text.toLowerCase(), candidate.toLowerCase(), bestDistance)
    if (edits < bestDistance) [best, bestDistance] = [candidate, edits]
  }
  return best
}

/** Levenshtein distance by rows; `limit` when it is at least that. */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let previousRow = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const replaced = (previousRow[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1)
      current.push(Math.min(replaced, (previousRow[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1))
    }
    previousRow = current
  }
  return Math.min(limit, previousRow[b.length] ?? limit)
}
