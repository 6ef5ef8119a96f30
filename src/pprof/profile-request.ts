import { whole } from '../kit/rules.ts'

/** In seconds: the longest profile, and the one that is taken when nobody says. */
export const [longestS, usualS] = [60, 10]

const rule = whole(1, longestS, 'seconds')
export const allowedSeconds = `seconds is ${rule.expected}, such as ?seconds=${usualS}`

/** Of the query: how long to profile, in seconds. Undefined for what is not allowed. */
export function secondsOf(given: unknown): number | undefined {
  if (given === undefined) return usualS
  const { success, data } = rule.schema.safeParse(/^\d{1,3}$/.test(String(given)) ? Number(given) : undefined)
  return success ? data : undefined
}
