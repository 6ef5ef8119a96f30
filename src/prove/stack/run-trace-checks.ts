import { setTimeout as sleep } from 'node:timers/promises'
import { TraceReader } from '../../traces/reader.ts'
import type { Check } from '../proof.ts'
import { type Finding, type TraceCheck, traceChecks } from './trace-checks.ts'

export interface TraceCheckOptions {
  /** Jaeger's page and API, the only source. */
  readonly jaeger: string
  readonly meshes: readonly string[]
  /** Roles of the nodes of all meshes. */
  readonly roles: readonly string[]
  /** Whether the nodes dial their seeds by DNS name. */
  readonly names?: boolean
  /** Milliseconds since 1970 from which spans count. */
  readonly fromMs: number
  /** Limit until all checks hold, milliseconds from now. */
  readonly limitMs: number
  readonly signal: AbortSignal
  progress(text: string): void
}

export interface TraceCheckResult {
  /** One for each trace check. */
  readonly checks: readonly Check[]
  /** Trace ids and numbers, by check. */
  readonly figures: Readonly<Record<string, unknown>>
}

/** Interval of the searches for missing spans, in milliseconds. */
const pollMs = 2_000

/**
 * Checks through Jaeger's API alone the traces of meshes that have just started: every role, the campaign of a late
 * seed, a give-up, a sweep with an expiry, the opening and the close of a link, rates of spans. The caller provides a
 * late seed, one that never answers, a killed node and one that stopped with goodbyes.
 */
export async function runTraceChecks(options: TraceCheckOptions): Promise<TraceCheckResult> {
  const { jaeger, names = false, limitMs, signal, progress } = options
  const selected = traceChecks.filter(({ needsNames = false }) => names || !needsNames)
  // A search for a span reads complete traces, and a minute of a node is one.
  const reader = new TraceReader(jaeger, { timeoutMs: 30_000 })
  const began = performance.now()
  const findings: Partial<Record<string, Finding>> = {}
  const isFinal = ({ isLast }: TraceCheck, finding: Finding | undefined) =>
    isLast && finding !== undefined && finding.isMissing === undefined
  const openChecks = () =>
    selected.filter((check) => findings[check.what]?.fault !== '' && !isFinal(check, findings[check.what]))
  const nextChecks = () => {
    const first = openChecks().filter(({ isLast }) => isLast === undefined)
    return first.length > 0 ? first : openChecks()
  }
  for (;;) {
    for (const check of nextChecks()) {
      findings[check.what] = await evaluate(check, { ...options, reader })
      if (findings[check.what]?.fault === '') progress(`${check.what}: found`)
    }
    if (openChecks().length === 0 || performance.now() - began > limitMs) break
    await sleep(pollMs, undefined, { signal })
  }
  return {
    checks: selected.map(({ what }) => {
      const fault = findings[what]?.fault ?? 'not evaluated'
      return { what, want: 'found', got: fault === '' ? 'found' : fault, holds: fault === '' }
    }),
    figures: Object.fromEntries(selected.map(({ what }) => [what, findings[what]?.figure])),
  }
}

/** A failed request counts as a missing span: services start in any order. */
async function evaluate(check: TraceCheck, query: Parameters<TraceCheck['evaluate']>[0]): Promise<Finding> {
  try {
    return await check.evaluate(query)
  } catch (error) {
    return { fault: error instanceof Error ? error.message : String(error), isMissing: true }
  }
}
