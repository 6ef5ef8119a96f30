import { join } from 'node:path'
import { MeshError } from '../core/errors.ts'
import { type LogEntry, nodeCommand, nodeEnvironment, parseLogLine } from '../processes/node-program.ts'
import { describeExit, type Exit, Subprocess } from '../processes/subprocess.ts'
import { stopLimits } from './stop.ts'

/** The receiver of the lab's spans, and the query URL for them. */
export interface TraceSink {
  /** OTLP endpoint for nodes, or `off`. */
  readonly otlp: string
  /** Base URL of `/api/v3`; undefined without one. */
  readonly query: string | undefined
  /** Whether it is a process of the lab, with statistics. */
  readonly isOwn: boolean
  /** Undefined for an external receiver, or when the store does not answer. */
  stats(): Promise<SinkStats | undefined>
  /** Rejects when the store does not stop in order. */
  close(): Promise<void>
}

/** Statistics of the spans received since the start of the store. */
export interface SinkStats {
  /** Spans evicted for newer ones, and spans that the store could not store. */
  readonly evicted: number
  readonly refused: number
  /** By span name. */
  readonly names: Readonly<Record<string, number>>
  readonly senders: readonly {
    readonly node: string
    readonly instance: string
    /** Sequence numbers below the highest that did not arrive. */
    readonly missing: number
  }[]
}

export interface SinkEvents {
  readonly onProblem: (text: string) => void
  /** The pid of the store, before it listens; 0 after its exit. */
  readonly onProcess: (pid: number) => void
}

const startMs = 60_000
/** Restarts of one lab's store, and the step by which the delay before each grows, in milliseconds. Guess. */
const restarts = { max: 10, waitMs: 500 }

/** An external receiver. */
export function externalSink(otlp: string, query: string | undefined): TraceSink {
  return { otlp, query, isOwn: false, stats: async () => undefined, close: async () => {} }
}

/** Starts the lab's own store as a process on free ports. Throws MESH_LAB_REFUSED when it does not start. */
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

/** Restarts the store after a crash, on the same ports and with the same file: nodes queue their spans meanwhile. */
class OwnStore implements TraceSink {
  readonly isOwn = true
  readonly #entry: string
  readonly #file: string
  readonly #events: SinkEvents
  #child: Subprocess | undefined
  #listening = Promise.withResolvers<LogEntry>()
  #timer: NodeJS.Timeout | undefined
  #starts = 0
  #closing = false
  /** Why the last stop was not in order. */
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

  /** Resolves with the log line of its addresses. */
  #spawn(otlp: string, http: string): Promise<LogEntry> {
    this.#starts++
    const listening = Promise.withResolvers<LogEntry>()
    this.#listening = listening
    const child = new Subprocess({
      name: 'the trace store',
      command: nodeCommand(this.#entry, ['store', '--otlp', otlp, '--http', http, '--file', this.#file]),
      env: nodeEnvironment(),
      // The store stops when this channel closes, and not at a Ctrl-C: the nodes stop first.
      ipc: true,
      ownGroup: true,
      onLine: (text) => {
        const line = parseLogLine(text)
        if (line['msg'] === 'listening') listening.resolve(line)
      },
      onExit: (exit) => this.#onExit(exit),
    })
    this.#child = child
    this.#events.onProcess(child.pid)
    this.#timer = setTimeout(() => {
      listening.reject(startRefused(`it did not listen within ${startMs} ms`))
      child.signal('SIGKILL')
    }, startMs)
    return listening.promise.finally(() => clearTimeout(this.#timer))
  }

  #onExit(exit: Exit): void {
    const why = `exited ${describeExit(exit)}`
    this.#listening.reject(startRefused(why))
    this.#events.onProcess(0)
    if (this.#closing && exit.code !== 0) this.#exitProblem = why
    // `start` reports a store that never listened.
    if (this.#closing || this.query === '') return
    const isLast = this.#starts > restarts.max
    this.#events.onProblem(`the trace store ${why}; ${isLast ? 'giving up' : 'restarting it'}`)
    if (!isLast) this.#timer = setTimeout(() => this.#restart(), restarts.waitMs * this.#starts)
  }

  /** Uses the same ports: nodes and queries have their addresses. */
  #restart(): void {
    // `#onExit` reports the failure.
    this.#spawn(new URL(this.otlp).host, new URL(this.query).host).catch(() => {})
  }
}

function startRefused(why: string): MeshError {
  return new MeshError('MESH_LAB_REFUSED', { what: 'the trace store cannot be started', why })
}
