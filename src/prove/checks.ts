import type { Check } from './proof.ts'

/** Holds when `holds` does for every item, and there is at least one; otherwise shows the first that fail. */
export function each<T>(what: string, want: string, items: readonly T[], holds: (item: T) => boolean): Check {
  const failing = items.filter((item) => !holds(item))
  const shown = failing.slice(0, 5).map((item) => JSON.stringify(item))
  const got = failing.length === 0 ? `${items.length} of ${items.length}` : `not: ${shown.join(' ')}`
  return { what, want, got, holds: items.length > 0 && failing.length === 0 }
}
