import { searchedPair } from './pairs.ts'
import type { Search } from './search.ts'

/** A parameter that is missing or wrong; said to whoever asked. */
export class ParameterError extends Error {}

export type Parameters = Readonly<Record<string, string | readonly string[] | undefined>>

/** Of a parameter that is there more than once the first counts, as in Jaeger. */
export function firstOf(value: Parameters[string]): string | undefined {
  return typeof value === 'string' ? value : value?.[0]
}

/** Most traces of one answer, and how many come when none is named. */
const counts = { most: 20_000, usual: 100 }
const mostAttributes = 32

const unitsMs: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1e3, m: 6e4, h: 3.6e6 }

/**
 * The search that parameters of `/api/v3/traces` ask for, each by any name that a version of Jaeger has for it.
 *
 * @throws ParameterError
 */
export function searchOf(parameters: Parameters): Search {
  const get = (...names: readonly string[]) => {
    for (const name of names) {
      const first = firstOf(parameters[`query.${name}`])
      if (first !== undefined && first !== '') return { name: `query.${name}`, value: first }
    }
    return undefined
  }
  const [from, to] = [get('startTimeMin', 'start_time_min'), get('startTimeMax', 'start_time_max')]
  if (from === undefined || to === undefined)
    throw new ParameterError('query.start_time_min and query.start_time_max are required')
  const [least, most] = [get('durationMin', 'duration_min'), get('durationMax', 'duration_max')]
  return {
    service: get('serviceName', 'service_name')?.value ?? '',
    name: get('operationName', 'operation_name')?.value ?? '',
    pairs: pairsOf(get('attributes')?.value),
    fromMs: time(from),
    toMs: time(to),
    // A span that ended before it began took less than nothing.
    minDurationMs: (least === undefined ? 0 : duration(least)) || Number.NEGATIVE_INFINITY,
    // Zero stands for no limit in Jaeger.
    maxDurationMs: (most === undefined ? 0 : duration(most)) || Number.POSITIVE_INFINITY,
    count: count(get('searchDepth', 'search_depth', 'num_traces')),
  }
}

interface Given {
  readonly name: string
  readonly value: string
}

function count(given: Given | undefined): number {
  if (given === undefined) return counts.usual
  const number = Number(given.value)
  if (/^\d{1,9}$/.test(given.value) && number >= 1 && number <= counts.most) return number
  const names = 'query.searchDepth, query.search_depth or query.num_traces'
  throw malformed(given, `the number of traces (${names}) is 1 to ${counts.most}`)
}

/** RFC 3339, to the nanosecond; kept to the quarter of a microsecond that a number of milliseconds can tell. */
function time(given: Given): number {
  const match = /^(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/.exec(given.value)
  const seconds = match === null ? Number.NaN : Date.parse(`${match[1]}${match[3]}`)
  if (Number.isNaN(seconds)) throw malformed(given, 'expected a time such as 2026-01-31T12:00:00Z')
  return seconds + Number(`0${match?.[2] ?? ''}`) * 1_000
}

/** As Go writes them: `1.5s`, `2m30s`. */
function duration(given: Given): number {
  const parts = [...given.value.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/g)]
  const whole = parts.map(([part]) => part).join('') === given.value && parts.length > 0
  if (!whole && given.value !== '0') throw malformed(given, 'expected a duration such as 1.5s or 200ms')
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * (unitsMs[unit ?? ''] ?? 0), 0)
}

function pairsOf(text: string | undefined): string[] {
  if (text === undefined) return []
  const given = { name: 'query.attributes', value: text }
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw malformed(given, 'expected a JSON object')
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw malformed(given, 'expected a JSON object')
  const entries = Object.entries(parsed)
  if (entries.length > mostAttributes) throw malformed(given, `at most ${mostAttributes} attributes`)
  return entries.map(([key, value]) => {
    if (!['string', 'number', 'boolean'].includes(typeof value))
      throw malformed(given, `${key} is no text, number or boolean`)
    return searchedPair(key, String(value))
  })
}

function malformed({ name, value }: Given, reason: string): ParameterError {
  return new ParameterError(`malformed parameter ${name}: ${JSON.stringify(value.slice(0, 100))}: ${reason}`)
}
