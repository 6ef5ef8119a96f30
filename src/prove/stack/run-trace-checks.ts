import { setTimeout as sleep } from 'node:timers/promises'
import { TraceReader } from '../../traces/reader.ts'
import type { Check } from '../proof.ts'
import { type Finding, type TraceCheck, traceChecks } from './trace-checks.ts'

export interface TraceCheckOptions {
  /** Jaeger's page and API; nothing else is asked. */
  readonly jaeger: string
  readonly meshes: readonly string[]
  /** Roles that the meshes have between them. */
  readonly roles: readonly string[]
  /** Whether the nodes know their seeds by name. */
  readonly names?: boolean
  /** Milliseconds since 1970 before which nothing counts. */
  readonly fromMs: number
  /** For all of it to be there, milliseconds from now. */
  readonly limitMs: number
  readonly signal: AbortSignal
  progress(text: string): void
}

export interface TraceCheckResult {
  /** One for each chapter. */
  readonly checks: readonly Check[]
  /** What was found, by chapter: trace ids to open, numbers. */
  readonly figures: Readonly<Record<string, unknown>>
}

/** Between two looks at what is not there yet, in milliseconds. */
const lookEveryMs = 2_000

/**
 * Reads through Jaeger's API alone what a stack tells of meshes that have just begun: every role, the campaign of a
 * seed that came late, a give-up, a sweep that names who died, the birth and the end of a link, rates of spans. Who calls
 * has seen to it that a seed was late, that one never answered, that one node was killed and one stopped in order.
 */
export async function runTraceChecks(options: TraceCheckOptions): Promise<TraceCheckResult> {
  const { jaeger, names = false, limitMs, signal, progress } = options
  const wanted = traceChecks.filter(({ ofNames = false }) => names || !ofNames)
  // A search for a span reads traces whole, and a minute of a node is one.
  const reader = new TraceReader(jaeger, { timeoutMs: 30_000 })
  const began = performance.now()
  const told: Partial<Record<string, Finding>> = {}
  const final = ({ atTheEnd }: TraceCheck, its: Finding | undefined) =>
    atTheEnd && its !== undefined && its.none === undefined
  const untold = () =>
    wanted.filter((chapter) => told[chapter.what]?.fault !== '' && !final(chapter, told[chapter.what]))
  const next = () => {
    const first = untold().filter(({ atTheEnd }) => atTheEnd === undefined)
    return first.length > 0 ? first : untold()
  }
  for (;;) {
    for (const chapter of next()) {
      told[chapter.what] = await read(chapter, { ...options, reader })
      if (told[chapter.what]?.fault === '') progress(`${chapter.what}: found`)
    }
    if (untold().length === 0 || performance.now() - began > limitMs) break
    await sleep(lookEveryMs, undefined, { signal })
  }
  return {
    checks: wanted.map(({ what }) => {
      const fault = told[what]?.fault ?? 'not asked'
      return { what, want: 'found', got: fault === '' ? 'found' : fault, holds: fault === '' }
    }),
    figures: Object.fromEntries(wanted.map(({ what }) => [what, told[what]?.figure])),
  }
}

/** What cannot be asked is not there yet: services start in any order. */
async function read(chapter: TraceCheck, asked: Parameters<TraceCheck['read']>[0]): Promise<Finding> {
  try {
    return await chapter.read(asked)
  } catch (error) {
    return { fault: error instanceof Error ? error.message : String(error), none: true }
  }
}
