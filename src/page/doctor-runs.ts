import { errorMessage, isMeshError } from '../core/errors.ts'
import type { Report } from '../doctor/report/report.ts'
import type { DoctorAnswer } from './doctor-answer.ts'
import type { Trouble } from './model/trouble.ts'

/** Milliseconds since 1970. */
export interface AskedPeriod {
  readonly fromMs: number
  readonly toMs: number
}

/** Makes one diagnosis. */
export type Diagnose = (period: AskedPeriod, signal: AbortSignal, progress: (text: string) => void) => Promise<Report>

/** Times are rounded to this, so that pages which ask at about the same time share a diagnosis. */
const gridMs = 10_000
/** A report is as new as a page may want it for so long. */
const freshMs = 10_000
/** A question waits so long for the report before it is answered with the progress. */
const waitMs = 1_000
/** A diagnosis that no page has asked for in this time ends. */
const abandonedMs = 15_000
/** No diagnosis takes longer. */
const timeoutMs = 150_000

interface Run {
  readonly key: string
  readonly startedMs: number
  readonly abort: AbortController
  /** Does not reject. */
  readonly answer: Promise<DoctorAnswer>
  readonly state: RunState
}

interface RunState {
  askedMs: number
  progress: string
  /** When it was answered. */
  endedMs?: number
}

/**
 * Diagnoses for pages: one at a time, since each asks the trace store for much. A page asks again until it is done; of the
 * last one the report is retained for some seconds.
 */
export class DoctorRuns {
  readonly #diagnose: Diagnose
  readonly #now: () => number
  #run: Run | undefined

  constructor(diagnose: Diagnose, now: () => number = () => performance.now()) {
    this.#diagnose = diagnose
    this.#now = now
  }

  /** Starts a diagnosis of a period, or answers from the one that runs or has just ended. */
  async ask(period: AskedPeriod): Promise<DoctorAnswer> {
    const asked = rounded(period)
    const key = `${asked.fromMs} ${asked.toMs}`
    this.#forget()
    if (this.#run !== undefined && this.#run.key !== key && this.#run.state.endedMs === undefined)
      return { state: 'busy' }
    if (this.#run?.key !== key) this.#run = this.#start(key, asked)
    const { state, answer, startedMs } = this.#run
    state.askedMs = this.#now()
    const ended = await Promise.race([answer, after(waitMs)])
    return ended ?? { state: 'running', progress: state.progress, tookMs: Math.round(this.#now() - startedMs) }
  }

  /** Ends the diagnosis that runs. */
  close(): void {
    this.#run?.abort.abort(new Error('the server of the page closes'))
  }

  #start(key: string, period: AskedPeriod): Run {
    const abort = new AbortController()
    const startedMs = this.#now()
    const state: RunState = { askedMs: startedMs, progress: '' }
    const watch = setInterval(() => {
      if (this.#now() - state.askedMs > abandonedMs) abort.abort(new Abandoned())
      else if (this.#now() - startedMs > timeoutMs) abort.abort(new TooLong())
    }, waitMs).unref()
    const progress = (text: string) => {
      state.progress = text
    }
    const aborted = new Promise<never>((_, reject) => {
      abort.signal.addEventListener('abort', () => reject(abort.signal.reason), { once: true })
    })
    const answer = Promise.race([this.#diagnose(period, abort.signal, progress), aborted])
      .then(
        (report): DoctorAnswer => ({ state: 'done', report }),
        (error: unknown): DoctorAnswer => ({ state: 'failed', trouble: troubleOf(abort.signal.reason ?? error) }),
      )
      .finally(() => {
        clearInterval(watch)
        state.endedMs = this.#now()
      })
    return { key, startedMs, abort, answer, state }
  }

  #forget(): void {
    const { state, abort } = this.#run ?? {}
    if (state?.endedMs === undefined) return
    if (this.#now() - state.endedMs > freshMs || abort?.signal.reason instanceof Abandoned) this.#run = undefined
  }
}

/** A page that was hidden may ask again. */
class Abandoned extends Error {
  override readonly message = 'no page asks for it any more'
}

class TooLong extends Error {
  override readonly message = `it took longer than ${timeoutMs / 1_000} s`
}

/** Why there is no diagnosis, for people. */
function troubleOf(error: unknown): Trouble {
  const detail = errorMessage(error)
  if (error instanceof TooLong) return { text: 'The diagnosis took too long: choose a shorter time.', detail }
  if (error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY')
    return { text: 'The diagnosis needs too much memory: choose a shorter time.', detail }
  if (isMeshError(error, 'MESH_SPANS_ABSENT'))
    return { text: 'The trace store has no spans of this mesh from that time.', detail }
  if (isMeshError(error, 'MESH_TRACES_UNREACHABLE'))
    return { text: 'The trace store does not answer.', detail, retries: true }
  if (isMeshError(error, 'MESH_TRACES_REFUSED')) return { text: 'The trace store refuses the question.', detail }
  return { text: 'The diagnosis failed.', detail }
}

/** Of the same length: a short period is read whole, and a longer one in samples. */
function rounded({ fromMs, toMs }: AskedPeriod): AskedPeriod {
  const onGrid = (ms: number) => Math.ceil(ms / gridMs) * gridMs
  return { fromMs: onGrid(fromMs), toMs: onGrid(toMs) }
}

/** Undefined after a time. The timer does not keep the process alive. */
function after(ms: number): Promise<undefined> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(undefined), ms).unref()
  })
}
