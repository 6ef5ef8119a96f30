import type * as z from 'zod'
import { MeshError, quote } from '../core/errors.ts'
import type { Check } from './config-schemas.ts'

/** A flag of a command that takes a value. */
export interface Flag extends Check<unknown> {
  readonly description: string
  readonly defaultValue?: string
  /** Describes the default in the help. */
  readonly defaultText?: string
}

/** Flags by their names without `--`. */
export type FlagTable = Readonly<Record<string, Flag>>

export type FlagValues<T extends FlagTable> = {
  readonly [K in keyof T]: T[K] extends { readonly defaultValue: string }
    ? z.output<T[K]['schema']>
    : z.output<T[K]['schema']> | undefined
}

/** Unparsed values by flag. */
export type RawFlags = Readonly<Record<string, string | undefined>>

/** The text of a flag in `--help`. */
export function describeFlag({ description, expected, defaultValue, defaultText }: Flag): string {
  const shownDefault = defaultText ?? defaultValue
  return `${description} (${expected}${shownDefault === undefined ? '' : `; default ${shownDefault}`})`
}

/** Parses the values of the flags. Throws MESH_CONFIG_INVALID for the first invalid one. */
export function readFlags<T extends FlagTable>(table: T, raw: RawFlags): FlagValues<T> {
  const values: Record<string, unknown> = {}
  for (const [name, { defaultValue, schema, expected }] of Object.entries(table)) {
    const text = raw[name] ?? defaultValue
    if (text === undefined) continue
    const result = schema.safeParse(text)
    if (!result.success) throw invalidFlag(name, text, expected)
    values[name] = result.data
  }
  return values as FlagValues<T>
}

export function invalidFlag(name: string, raw: string, expected: string): MeshError {
  return new MeshError('MESH_CONFIG_INVALID', { key: `--${name}`, given: quote(raw), expected })
}

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
