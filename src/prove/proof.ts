import type { Random } from '../core/machine.ts'

/** The file of a proof is its name with this suffix. */
export const suffix = '.e2e.ts'
/** Begins the diagnostic with the figures and checks of a proof as JSON, for `figures-reporter.ts`. */
export const figuresPrefix = 'figures '

/** One claim about the product, with the run that checks it. `<name>.e2e.ts` exports it as `proof`. */
export interface Proof {
  /** Its argument of `npm run prove`. */
  readonly name: string
  /** The claim, in words. */
  readonly about: string
  /** Whether `npm run e2e` runs it: only if it takes less than a minute. `npm test` runs it too, up to 12 s. */
  readonly quick: boolean
  /** It starts no process and waits on no timer: `npm test` runs it with the unit tests. */
  readonly virtual?: boolean
  /** About how long it takes. */
  readonly seconds: number
  /** Throws when it cannot measure; a wrong measurement is a check that does not hold. */
  run(context: ProofContext): Promise<ProofResult>
}

export interface ProofContext {
  readonly seed: number
  /** Random numbers from that seed. */
  readonly random: Random
  /** Reports progress, one line. */
  progress(text: string): void
  /** Aborts on an interrupt. */
  readonly signal: AbortSignal
}

export interface ProofResult {
  readonly figures: Readonly<Record<string, unknown>>
  readonly checks: readonly Check[]
}

export interface Check {
  readonly what: string
  readonly want: string
  readonly got: string | number | boolean
  readonly holds: boolean | 'not shown'
}

export function equals<T extends string | number | boolean>(what: string, want: T, got: T): Check {
  return { what, want: String(want), got, holds: got === want }
}

/** NaN, without a measurement, does not hold. */
export function atMost(what: string, most: number, got: number, unit = ''): Check {
  return { what, want: `at most ${most}${unit === '' ? '' : ` ${unit}`}`, got: round(got), holds: got <= most }
}

export function atLeast(what: string, least: number, got: number, unit = ''): Check {
  return { what, want: `at least ${least}${unit === '' ? '' : ` ${unit}`}`, got: round(got), holds: got >= least }
}

/** The check of something that this machine cannot show, for the reason `got`. */
export function notShown(what: string, want: string, got: string): Check {
  return { what, want, got, holds: 'not shown' }
}

/** The result of a proof that this machine cannot run, with its one check. */
export function unrun({ progress }: ProofContext, what: string, want: string, missing: string): ProofResult {
  progress(`NOT SHOWN: ${missing}`)
  return { figures: { missing }, checks: [notShown(what, want, missing)] }
}

/** To a thousandth, for people. */
export function round(value: number): number {
  return Math.round(value * 1_000) / 1_000
}

/** Holds when `holds` does for every item, and there is at least one; otherwise shows the first that fail. */
export function each<T>(what: string, want: string, items: readonly T[], holds: (item: T) => boolean): Check {
  const failing = items.filter((item) => !holds(item))
  const shown = failing.slice(0, 5).map((item) => JSON.stringify(item))
  const got = failing.length === 0 ? `${items.length} of ${items.length}` : `not: ${shown.join(' ')}`
  return { what, want, got, holds: items.length > 0 && failing.length === 0 }
}
