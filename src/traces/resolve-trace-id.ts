import type { FindResult, Query } from './find-traces.ts'

/** Traces whose ids begin with given digits. */
export interface Resolution {
  readonly ids: readonly string[]
  /** Why there may be others; undefined if all traces were searched. */
  readonly partial: string | undefined
}

interface Reader {
  services(): Promise<readonly string[]>
  find(query: Query): Promise<FindResult>
}

interface ResolveOptions {
  readonly nowMs: number
  /** Whether nobody wants the result any more. */
  readonly isStale?: () => boolean
}

const [minuteMs, hourMs, dayMs] = [60_000, 3_600_000, 86_400_000]
/** Ages of the searched ranges, the newest first: an id that somebody copied is mostly a recent one. */
const ages = [15 * minuteMs, hourMs, 6 * hourMs, dayMs, 7 * dayMs]
/** Traces of one range and service: whole traces arrive, some kilobytes each. Guess. */
const limit = 2_000
/** Clocks of nodes may be ahead of this one. */
const aheadMs = minuteMs

/**
 * Finds the traces whose ids begin with `prefix`, lower case. No store searches by a part of an id, so this reads the
 * traces of all services, range by range, until one range has a match: a week at most.
 */
export async function resolveTraceId(
  reader: Reader,
  prefix: string,
  { nowMs, isStale = () => false }: ResolveOptions,
): Promise<Resolution> {
  const services = await reader.services()
  const partial = new Set<string>()
  let toMs = nowMs + aheadMs
  for (const age of ages) {
    const fromMs = nowMs - age
    const ids = new Set<string>()
    for (const service of services) {
      if (isStale()) return { ids: [], partial: undefined }
      const result = await reader.find({ service, fromMs, toMs, limit })
      if (result.partial !== undefined) partial.add(`${service}: ${result.partial}`)
      for (const { traceId } of result.traces) if (traceId.startsWith(prefix)) ids.add(traceId)
    }
    if (ids.size > 0 || age === ages.at(-1)) return { ids: [...ids], partial: [...partial].join('; ') || undefined }
    toMs = fromMs
  }
  return { ids: [], partial: undefined }
}
