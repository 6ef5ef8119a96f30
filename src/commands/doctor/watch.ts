import { setTimeout as sleep } from 'node:timers/promises'
import type { Examination } from '../../doctor/report/examine.ts'
import { type Look, StoreFollower } from '../../doctor/report/follower.ts'
import type { Report } from '../../doctor/report/report.ts'
import { clock, duration } from '../../page/model/text.ts'
import { type NewsOptions, newsLines, shownAfter } from './news.ts'

/** What was last seen so long ago is over. */
const overMs = 15 * 60_000
/** A process that has been silent for so long is forgotten, unless a longer period is asked for. */
const forgetMs = 60 * 60_000

export interface WatchOptions {
  readonly url: string
  readonly mesh: string | undefined
  readonly fromMs: number
  readonly everyMs: number
  readonly signal: AbortSignal
  /** Makes a report of what was read, once for each reading. */
  readonly report: (examination: Examination) => Promise<Report>
  /** Gets the report if something has changed, and the lines that say what. */
  readonly print: (report: Report, lines: readonly string[]) => void
  /** Gets a line about the watch itself. */
  readonly log: (text: string) => void
  readonly text: NewsOptions
  /** Tests replace them. */
  readonly fetch?: typeof fetch
  readonly now?: () => number
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<unknown>
}

/** Diagnoses a trace store again and again, and prints what has changed: each finding once, and when it is gone. */
export class DoctorWatch {
  readonly #options: WatchOptions
  readonly #follower: StoreFollower
  readonly #now: () => number
  #state: Look['state'] | undefined
  #stateMs: number
  /** The last report, with the findings that were shown and are not known to be gone. */
  #shown: Report | undefined

  constructor(options: WatchOptions) {
    const { url, mesh, fromMs, log, fetch, now = Date.now } = options
    this.#options = options
    this.#now = now
    this.#stateMs = now()
    const forget = Math.max(forgetMs, this.#stateMs - fromMs)
    const times = { fromMs, overMs, forgetMs: forget, now }
    this.#follower = new StoreFollower({ url, mesh, progress: log, ...times, ...(fetch && { fetch }) })
  }

  /** Until the abort; resolves to the last report. */
  async run(): Promise<Report | undefined> {
    const { everyMs, signal, pause = pauseFor } = this.#options
    while (!signal.aborted) {
      await this.#look().catch((error: unknown) => {
        if (!signal.aborted) throw error
      })
      await pause(everyMs, signal).catch(() => {})
    }
    return this.#shown
  }

  async #look(): Promise<void> {
    const { signal } = this.#options
    const look = await this.#follower.look(signal)
    this.#noteState(look)
    if (look.state === 'read') this.#show(await this.#options.report(look.examination), look.examination)
  }

  #show(report: Report, { reading }: Examination): void {
    const { print, log, text } = this.#options
    // What a reading that lacks spans does not find may still be there.
    const shown = shownAfter(this.#shown, report, reading.partial.length === 0)
    const lines = newsLines(this.#shown, shown, this.#now(), text)
    if (lines.length > 0) print(shown, lines)
    else log(`${clock(this.#now())} ${shown.verdict}, as before: ${shown.evidence.spans} spans`)
    this.#shown = shown
  }

  /** One line when the store goes away, when it comes back, and when it has no spans. */
  #noteState(look: Look): void {
    if (look.state === this.#state) return
    const { log, everyMs, url } = this.#options
    const nowMs = this.#now()
    const wasMs = nowMs - this.#stateMs
    const again = `the next question is in ${duration(everyMs)}`
    if (look.state === 'away') log(`${clock(nowMs)} ${look.error.code}: ${look.error.message}; ${again}`)
    else if (look.state === 'empty') log(`${clock(nowMs)} no new span of a mesh in ${url}; ${again}`)
    else if (this.#state !== undefined)
      log(
        `${clock(nowMs)} ${this.#state === 'away' ? 'the trace store answers' : 'spans come'} again after ${duration(wasMs)}`,
      )
    this.#state = look.state
    this.#stateMs = nowMs
  }
}

function pauseFor(ms: number, signal: AbortSignal): Promise<unknown> {
  return sleep(ms, undefined, { signal })
}
