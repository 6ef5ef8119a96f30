import { join } from 'node:path'
import { MeshError } from '../core/errors.ts'
import { Child, type ChildExit, exitReason, type LogEntry } from './child.ts'
import { stopLimits } from './stop-limits.ts'

/** Where the lab's spans go, and where they can be asked for. */
export interface TraceSink {
  /** Endpoint for nodes; `off` when spans go nowhere. */
  readonly otlp: string
  /** `/api/v3` is below it; undefined when traces cannot be read from here. */
  readonly query: string | undefined
  /** Whether it is a process of the lab, which says what it received. */
  readonly isOwn: boolean
  /** Undefined when it keeps no account, or does not answer. */
  stats(): Promise<SinkStats | undefined>
  /** Rejects when it does not stop in order. */
  close(): Promise<void>
}

/** Of the spans received since the store began. */
export interface SinkStats {
  /** Spans that had to go for newer ones, and spans that could not be kept at all. */
  readonly evicted: number
  readonly refused: number
  /** By span name. */
  readonly names: Readonly<Record<string, number>>
  readonly senders: readonly {
    readonly node: string
    readonly instance: string
    /** Numbers below its highest that did not come. */
    readonly missing: number
  }[]
}

export interface SinkEvents {
  readonly onProblem: (text: string) => void
  /** There is a process, long before it listens; 0: there is none any more. */
  readonly onProcess: (pid: number) => void
}

const startMs = 20_000
/** Starts of one lab's store after the first; and the wait before each, in milliseconds, which grows by as much. Guess. */
const restarts = { max: 10, waitMs: 500 }

/** A receiver that was there before the lab. */
export function externalSink(otlp: string, query: string | undefined): TraceSink {
  return { otlp, query, isOwn: false, stats: async () => undefined, close: async () => {} }
}

/** The lab's own store, a process of its own, on free ports. Throws MESH_LAB_REFUSED when it does not start. */
export async function ownSink(entry: string, directory: string, events: SinkEvents): Promise<TraceSink> {
  const store = new OwnStore(entry, join(directory, 'traces.db'), events)
  try {
    await store.start()
    return store
  } catch (error) {
    await store.close().catch(() => {})
    throw error
  }
}

/** One that ends by itself is started again, where it was and with what it had: nodes keep their spans meanwhile. */
class OwnStore implements TraceSink {
  readonly isOwn = true
  readonly #entry: string
  readonly #file: string
  readonly #events: SinkEvents
  #child: Child | undefined
  #listening = Promise.withResolvers<LogEntry>()
  #timer: NodeJS.Timeout | undefined
  #starts = 0
  #closing = false
  /** Why the last one that was asked to stop did not do it in order. */
  #exitProblem = ''
  otlp = ''
  query = ''

  constructor(entry: string, file: string, events: SinkEvents) {
    this.#entry = entry
    this.#file = file
    this.#events = events
  }

  async start(): Promise<void> {
    const line = await this.#spawn('127.0.0.1:0', '127.0.0.1:0')
    this.otlp = String(line['otlp'])
    this.query = String(line['query'])
  }

  async stats(): Promise<SinkStats | undefined> {
    try {
      const answer = await fetch(`${this.query}/api/stats`, { signal: AbortSignal.timeout(stopLimits.statsMs) })
      return answer.ok ? ((await answer.json()) as SinkStats) : undefined
    } catch {
      return undefined
    }
  }

  async close(): Promise<void> {
    this.#closing = true
    clearTimeout(this.#timer)
    await this.#child?.stop(stopLimits.storeMs)
    if (this.#exitProblem !== '')
      throw new MeshError('MESH_LAB_REFUSED', { what: 'the trace store', why: this.#exitProblem })
  }

  /** Resolves with the line that says where it listens. */
  #spawn(otlp: string, http: string): Promise<LogEntry> {
    this.#starts++
    const listening = Promise.withResolvers<LogEntry>()
    this.#listening = listening
    const child = new Child({
      entry: this.#entry,
      args: ['store', '--otlp', otlp, '--http', http, '--file', this.#file],
      onLine: (line) => {
        if (line['msg'] === 'listening') listening.resolve(line)
      },
      onExit: (end) => this.#onExit(end),
    })
    this.#child = child
    this.#events.onProcess(child.pid)
    this.#timer = setTimeout(() => {
      listening.reject(startRefused(`no word of it within ${startMs} ms`))
      child.signal('SIGKILL')
    }, startMs)
    return listening.promise.finally(() => clearTimeout(this.#timer))
  }

  #onExit({ code, signal, errors }: ChildExit): void {
    const why = `it ended with ${signal ?? code}: ${exitReason(errors)}`
    this.#listening.reject(startRefused(why))
    this.#events.onProcess(0)
    if (this.#closing && (signal ?? code) !== 0) this.#exitProblem = why
    // One that has never listened is for whoever waits for that.
    if (this.#closing || this.query === '') return
    const isLast = this.#starts > restarts.max
    this.#events.onProblem(`the trace store is gone ${isLast ? 'for good' : 'and started again'}: ${why}`)
    if (!isLast) this.#timer = setTimeout(() => this.#restart(), restarts.waitMs * this.#starts)
  }

  /** On the same ports: that is where nodes send, and where people ask. */
  #restart(): void {
    // What went wrong is told when the process ends.
    this.#spawn(new URL(this.otlp).host, new URL(this.query).host).catch(() => {})
  }
}

function startRefused(why: string): MeshError {
  return new MeshError('MESH_LAB_REFUSED', { what: 'the trace store cannot be started', why })
}
