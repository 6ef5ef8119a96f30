import { errorMessage, isMeshError, MeshError } from '../../core/errors.ts'
import { diagnose } from '../diagnose.ts'
import type { Coverage, Evidence } from '../evidence/evidence.ts'
import { EvidenceFold } from '../evidence/fold.ts'
import type { Finding } from '../finding.ts'
import { rules } from '../rules/all.ts'
import { type Examination, examine } from './examine.ts'

/** Spans come late: a reading begins so long before the end of the last one. */
const overlapMs = 120_000
/** Clocks of nodes may be ahead of this one by so much. */
const aheadMs = 60_000
/** What came in a longer time would be read in samples, so it stays a gap. */
const longestMs = 10 * 60_000
/** Gaps that are named; further ones are counted. */
const maxGaps = 8

export interface FollowOptions {
  /** Server with `/api/v3`. */
  readonly url: string
  /** All meshes by default. */
  readonly mesh?: string | undefined
  /** The first reading begins there: milliseconds since 1970. */
  readonly fromMs: number
  /** A finding is over when it was last seen so long before the newest span; never by default. */
  readonly overMs?: number
  /** A process is forgotten when it has been silent for so long; never by default. */
  readonly forgetMs?: number
  readonly progress?: (text: string) => void
  /** A test replaces them. */
  readonly fetch?: typeof fetch
  readonly now?: () => number
}

/** What a reading found: `empty` is a store that answers, without a span of a mesh. */
export type Look =
  | { readonly state: 'read'; readonly examination: Examination }
  | { readonly state: 'empty' | 'away'; readonly error: MeshError }

/** A time whose spans no reading brings. */
interface Gap {
  readonly fromMs: number
  toMs: number
  readonly why: string
}

/**
 * Reads the newest spans of a trace store again and again into one body of evidence, so that a long watch needs no more
 * memory, and no store that keeps all. What one reading misses, the next one reads; what none reads is a gap.
 */
export class StoreFollower {
  readonly #options: FollowOptions
  readonly #now: () => number
  readonly #fold = new EvidenceFold()
  /** Everything that started before was read, or is a gap. */
  #untilMs: number
  /** Everything that started before may have been read. */
  #readMs = Number.NEGATIVE_INFINITY
  /** Until then a reading goes back as far as it can: numbers of spans are missing, which may be on their way. */
  #wideUntilMs = Number.NEGATIVE_INFINITY
  #missing: number | undefined
  #isSampled = false
  readonly #gaps: Gap[] = []
  #omittedGaps = 0
  /** What a long first reading did not get. */
  #unread: readonly string[] = []
  /** Of the last reading. */
  #problems: readonly string[] = []

  constructor(options: FollowOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#untilMs = options.fromMs
  }

  get spans(): number {
    return this.#fold.spans
  }

  /** Why spans are missing, in words. */
  get problems(): readonly string[] {
    return [...this.#earlier().partial, ...this.#problems]
  }

  /** Reads what is new. Throws only if `signal` aborts, or for a defect. */
  async look(signal: AbortSignal): Promise<Look> {
    const nowMs = this.#now()
    const fromMs = this.#nextFromMs(nowMs)
    const toMs = nowMs + aheadMs
    try {
      const { url, mesh, fetch, progress = () => {} } = this.#options
      const subject = { url, mesh, files: [], period: { fromMs, toMs }, signal, progress, ...(fetch && { fetch }) }
      const examination = await examine(subject, { fold: this.#fold, earlier: this.#earlier(), readMs: this.#readMs })
      this.#note(examination, nowMs)
      return { state: 'read', examination: this.#current(examination) }
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof MeshError)) throw error
      const isEmpty = isMeshError(error, 'MESH_SPANS_ABSENT')
      this.#problems = isEmpty ? [] : [errorMessage(error)]
      // A store that answers has no gap.
      if (isEmpty) this.#untilMs = Math.max(this.#untilMs, nowMs - overlapMs)
      return { state: isEmpty ? 'empty' : 'away', error }
    } finally {
      // Also of a reading that failed: it may have got some.
      this.#readMs = Math.max(this.#readMs, toMs)
    }
  }

  /** What was read so far. */
  evidence(): Evidence {
    const { complete } = this.#earlier()
    return this.#fold.evidence({ complete: complete && this.#problems.length === 0, partial: this.problems })
  }

  #nextFromMs(nowMs: number): number {
    if (this.#readMs === Number.NEGATIVE_INFINITY) return this.#untilMs
    const earliestMs = nowMs - longestMs
    if (this.#untilMs < earliestMs) {
      this.#noteGap(this.#untilMs, earliestMs)
      this.#untilMs = earliestMs
    }
    return nowMs < this.#wideUntilMs ? earliestMs : Math.max(earliestMs, this.#untilMs - overlapMs)
  }

  #note({ evidence, reading }: Examination, nowMs: number): void {
    const isFirst = this.#missing === undefined
    const isLong = nowMs - this.#untilMs > longestMs
    this.#problems = reading.partial
    if (isLong) {
      // It will not be read again.
      this.#isSampled ||= !reading.complete
      this.#unread = reading.partial.slice(0, maxGaps)
      this.#problems = []
    }
    if (this.#problems.length === 0) this.#untilMs = nowMs
    const missing = evidence.instances.reduce((sum, { seqs }) => sum + seqs.missing, 0)
    if (!isFirst && missing > (this.#missing ?? 0)) this.#wideUntilMs = nowMs + longestMs
    this.#missing = missing
  }

  #noteGap(fromMs: number, toMs: number): void {
    const last = this.#gaps.at(-1)
    if (last?.toMs === fromMs) last.toMs = toMs
    else if (this.#gaps.length < maxGaps)
      this.#gaps.push({ fromMs, toMs, why: this.#problems[0] ?? 'nobody read in that time' })
    else this.#omittedGaps++
  }

  #earlier(): Coverage {
    const named = this.#gaps.map(({ fromMs, toMs, why }) => `${timeOf(fromMs)} to ${timeOf(toMs)} was not read: ${why}`)
    const more = this.#omittedGaps === 0 ? [] : [`${this.#omittedGaps} more times were not read`]
    const partial = [...this.#unread, ...named, ...more]
    return { complete: !this.#isSampled && partial.length === 0, partial }
  }

  /** Without what is over, and without processes that ended long ago. */
  #current(examination: Examination): Examination {
    const { overMs = Number.POSITIVE_INFINITY, forgetMs = Number.POSITIVE_INFINITY } = this.#options
    if (overMs === Number.POSITIVE_INFINITY && forgetMs === Number.POSITIVE_INFINITY) return examination
    const { toMs, complete, partial } = examination.evidence
    this.#fold.forget(toMs - forgetMs)
    const evidence = this.#fold.evidence({ complete, partial })
    const isCurrent = (finding: Finding) => lastSeenMs(finding, evidence) >= toMs - overMs
    return { ...examination, evidence, diagnosis: diagnose(evidence, rules, isCurrent) }
  }
}

/** What a process has is over with it. */
function lastSeenMs({ lastMs, owner }: Finding, { instances }: Evidence): number {
  if (lastMs !== undefined) return lastMs
  // The environment may give several lives one id.
  const lives = instances.filter(
    ({ id, mesh, node }) => id === owner.instance && mesh === owner.mesh && node === owner.node,
  )
  return lives.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...lives.map((life) => life.lastMs))
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19)
}
