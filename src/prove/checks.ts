import type { Check } from './proof.ts'

/** Checks as proofs make them most often; `what` is the claim in words. */

export function equals<T extends string | number | boolean>(what: string, want: T, got: T): Check {
  return { what, want: String(want), got, holds: got === want }
}

/** `unit` is for people. */
export function atMost(what: string, most: number, got: number, unit = ''): Check {
  return { what, want: `at most ${most}${unit && ` ${unit}`}`, got: rounded(got), holds: got <= most }
}

export function atLeast(what: string, least: number, got: number, unit = ''): Check {
  return { what, want: `at least ${least}${unit && ` ${unit}`}`, got: rounded(got), holds: got >= least }
}

/** All of several: shows those that do not hold, and never holds for none at all. */
export function all<T>(what: string, want: string, items: readonly T[], holds: (item: T) => boolean): Check {
  const failing = items.filter((item) => !holds(item))
  const got =
    failing.length === 0 ? `${items.length} of ${items.length}` : `not: ${JSON.stringify(failing.slice(0, 5))}`
  return { what, want, got, holds: items.length > 0 && failing.length === 0 }
}

export function rounded(value: number): number {
  return Math.round(value * 100) / 100
}
