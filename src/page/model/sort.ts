export type Direction = 'ascending' | 'descending'
export type Sortable = string | number | undefined

const collator = new Intl.Collator('en', { numeric: true })

/** Returns a sorted copy. Items without a value come last in both directions; equal items keep their order. */
export function sortBy<T>(items: readonly T[], by: (item: T) => Sortable, direction: Direction): T[] {
  const sign = direction === 'ascending' ? 1 : -1
  return [...items].sort((a, b) => compare(by(a), by(b), sign))
}

function compare(a: Sortable, b: Sortable, sign: number): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined)
  return sign * (typeof a === 'number' && typeof b === 'number' ? a - b : collator.compare(String(a), String(b)))
}
