import type * as z from 'zod'
import { MeshError } from '../core/errors.ts'
import { quote } from '../core/quote.ts'
import type { Check } from './config-schemas.ts'

/** A flag of a command that takes a value. */
export interface Flag extends Check<unknown> {
  readonly about: string
  readonly fallback?: string
  /** What stands in the help for the fallback. */
  readonly fallbackText?: string
}

/** Flags by their names without `--`. */
export type FlagTable = Readonly<Record<string, Flag>>

export type FlagValues<T extends FlagTable> = {
  readonly [K in keyof T]: T[K] extends { readonly fallback: string }
    ? z.output<T[K]['schema']>
    : z.output<T[K]['schema']> | undefined
}

/** Given values by flag, as text. */
export type GivenFlags = Readonly<Record<string, string | undefined>>

/** What `--help` says of a flag. */
export function describeFlag({ about, expected, fallback, fallbackText }: Flag): string {
  const preset = fallbackText ?? fallback
  return `${about} (${expected}${preset === undefined ? '' : `; default ${preset}`})`
}

/** Checked values of what was given. Throws MESH_CONFIG_INVALID for the first that is not allowed. */
export function readFlags<T extends FlagTable>(table: T, given: GivenFlags): FlagValues<T> {
  const read: Record<string, unknown> = {}
  for (const [name, { fallback, schema, expected }] of Object.entries(table)) {
    const text = given[name] ?? fallback
    if (text === undefined) continue
    const result = schema.safeParse(text)
    if (!result.success) throw invalidFlag(name, text, expected)
    read[name] = result.data
  }
  return read as FlagValues<T>
}

export function invalidFlag(name: string, given: string, expected: string): MeshError {
  return new MeshError('MESH_CONFIG_INVALID', { key: `--${name}`, given: quote(given), expected })
}
