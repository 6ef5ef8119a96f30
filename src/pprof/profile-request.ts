import { whole } from '../kit/rules.ts'

/** Longest and default profile, in seconds. */
export const [maxSeconds, defaultSeconds] = [60, 10]

const rule = whole(1, maxSeconds, 'seconds')
export const secondsRule = `seconds is ${rule.expected}, such as ?seconds=${defaultSeconds}`

/** Parses the duration of the query, in seconds; undefined if it is invalid. */
export function parseSeconds(value: unknown): number | undefined {
  if (value === undefined) return defaultSeconds
  const { success, data } = rule.schema.safeParse(/^\d{1,3}$/.test(String(value)) ? Number(value) : undefined)
  return success ? data : undefined
}
