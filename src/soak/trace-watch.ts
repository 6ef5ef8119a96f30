import { errorMessage, isMeshError } from '../core/errors.ts'
import type { Evidence } from '../doctor/evidence/evidence.ts'
import { EvidenceFold } from '../doctor/evidence/fold.ts'
import { readTraceStore } from '../doctor/sources/trace-store.ts'

/** A busy node exports its spans late: each reading begins so long before the end of the last one. */
const overlapMs = 90_000
/** A longer gap would be read in samples. */
const longestMs = 10 * 60_000

/** Reads the spans of a mesh while a soak runs, so that a long one needs no more memory, and no store that keeps all. */
export class TraceWatch {
  readonly #url: string
  readonly #mesh: string
  readonly #fold = new EvidenceFold()
  /** Everything that started before was read. */
  #untilMs: number
  #problems: readonly string[] = []
  /** Spans that no later reading brings. */
  #gaps: readonly string[] = []

  constructor(url: string, mesh: string, fromMs: number) {
    this.#url = url
    this.#mesh = mesh
    this.#untilMs = fromMs
  }

  get spans(): number {
    return this.#fold.spans
  }

  /** Why spans are missing since the last complete reading. */
  get problems(): readonly string[] {
    return [...this.#gaps, ...this.#problems]
  }

  /** Throws only if `signal` aborts. What a reading misses, the next one reads. */
  async read(signal: AbortSignal): Promise<void> {
    const nowMs = Date.now()
    const fromMs = Math.max(this.#untilMs - overlapMs, nowMs - longestMs)
    if (this.#untilMs < fromMs) this.#gaps = ['the trace store did not answer for ten minutes']
    try {
      const { partial } = await this.#readPeriod(fromMs, nowMs, signal)
      this.#problems = partial
      if (partial.length === 0) this.#untilMs = nowMs
    } catch (error) {
      signal.throwIfAborted()
      this.#problems = isMeshError(error, 'MESH_SPANS_ABSENT') ? [] : [errorMessage(error)]
    }
  }

  /** Throws the error of a store that does not answer, or has no span of the mesh. */
  async readFirst(signal: AbortSignal): Promise<void> {
    const nowMs = Date.now()
    await this.#readPeriod(this.#untilMs, nowMs, signal)
    this.#untilMs = nowMs
  }

  /** What was read so far. */
  evidence(): Evidence {
    return this.#fold.evidence({ complete: this.problems.length === 0, partial: this.problems })
  }

  #readPeriod(fromMs: number, toMs: number, signal: AbortSignal) {
    return readTraceStore({
      url: this.#url,
      mesh: this.#mesh,
      period: { fromMs, toMs },
      add: (span) => this.#fold.add(span),
      progress: () => {},
      signal,
    })
  }
}
