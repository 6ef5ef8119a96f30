import * as z from 'zod'
import type { Check } from './config-schemas.ts'

const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
/** `setTimeout` takes at most 2^31 - 1 ms. */
const longestMs = 24 * 86_400_000

/** Parses `90s`, `10m`, `2h` or `7d` to milliseconds; undefined for anything else, below 1 s and above 24 days. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,7}(?:\.\d{1,3})?)([smhd])$/.exec(text)
  const ms = Number(match?.[1]) * (units[match?.[2] ?? ''] ?? Number.NaN)
  return ms >= 1_000 && ms <= longestMs ? ms : undefined
}

/** A flag whose text is a duration; its value is in milliseconds. */
export function duration(): Check<number> {
  return {
    expected: 'a duration such as 90s, 10m, 2h or 7d, from 1s to 24d',
    schema: z.string().transform(parseDuration).pipe(z.number()),
  }
}
