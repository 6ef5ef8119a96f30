import { join } from 'node:path'
import { MeshError } from '../core/errors.ts'
import { Child, type LogEntry, reasonIn } from './child.ts'

/** Where the lab's spans go, and where they can be asked for. */
export interface TraceSink {
  /** Endpoint for nodes; `off` when spans go nowhere. */
  readonly otlp: string
  /** `/api/v3` is below it; undefined when traces cannot be read from here. */
  readonly query: string | undefined
  /** 0 when it is no process of the lab. */
  readonly pid: number
  /** Undefined when it keeps no account, or does not answer. */
  stats(): Promise<SinkStats | undefined>
  close(): Promise<void>
}

/** Spans received since the store began. */
export interface SinkStats {
  readonly evicted: number
  readonly refused: number
  /** By span name. */
  readonly names: Readonly<Record<string, number>>
  readonly senders: readonly {
    readonly node: string
    readonly instance: string
    readonly spans: number
    /** Highest `mesh.seq`. */
    readonly lastSeq: number
  }[]
}

const startMs = 20_000
const stopMs = 6_000
const askMs = 5_000

/** A receiver that was there before the lab. */
export function foreignSink(otlp: string, query: string | undefined): TraceSink {
  return { otlp, query, pid: 0, stats: async () => undefined, close: async () => {} }
}

/** The lab's own store, a process of its own, on free ports. Throws MESH_LAB_REFUSED when it does not start. */
export async function ownSink(entry: string, directory: string, ended: (why: string) => void): Promise<TraceSink> {
  const listening = Promise.withResolvers<LogEntry>()
  const bounds = ['--max-mb', '500', '--file', join(directory, 'traces.db')]
  const state = { closing: false }
  const child = new Child({
    entry,
    args: ['store', '--otlp', '127.0.0.1:0', '--http', '127.0.0.1:0', ...bounds],
    line: (line) => {
      if (line['msg'] === 'listening') listening.resolve(line)
    },
    ended: ({ code, signal, errors }) => {
      const why = `it ended with ${signal ?? code}: ${reasonIn(errors)}`
      listening.reject(refused(why))
      if (!state.closing) ended(`the trace store is gone: ${why}`)
    },
  })
  const timer = setTimeout(() => listening.reject(refused(`no word of it within ${startMs} ms`)), startMs)
  try {
    const line = await listening.promise.finally(() => clearTimeout(timer))
    const query = String(line['query'])
    return {
      otlp: String(line['otlp']),
      query,
      pid: child.pid,
      stats: () => askFor(`${query}/api/stats`),
      close: () => {
        state.closing = true
        return child.stop(stopMs)
      },
    }
  } catch (error) {
    await child.stop(stopMs)
    throw error
  }
}

async function askFor(url: string): Promise<SinkStats | undefined> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(askMs) })
    return answer.ok ? ((await answer.json()) as SinkStats) : undefined
  } catch {
    return undefined
  }
}

function refused(why: string): MeshError {
  return new MeshError('MESH_LAB_REFUSED', { what: 'the trace store cannot be started', why })
}
