import { errorMessage } from '../../core/errors.ts'
import { type FindResult, type Query, TraceReader } from '../../traces/reader.ts'

/** Most traces of one request: a thousand minutes of nodes would be longer than a response may be. */
const countLimit = 200
/** Traces of one search; the reader halves its time range as often as it needs. */
const searchLimit = 100_000
const timeoutMs = 30_000
const searchMs = 60_000
/** Requests in a row without an answer after which the store counts as gone. */
const maxFailures = 3

type Search = Omit<Query, 'limit'> & { readonly limit?: number }

export interface StoreClientOptions {
  readonly url: string
  readonly signal: AbortSignal
  readonly fetch?: typeof fetch
  /** The store has answered before: not even a failure of the first request throws. */
  readonly isKnown?: boolean
}

/** Asks a trace store, counts what that costs, and notes what it did not get. */
export class StoreClient {
  readonly url: string
  readonly #reader: TraceReader
  readonly #signal: AbortSignal
  readonly #problems: string[] = []
  #failures = 0
  #hasAnswered: boolean
  bytes = 0
  requests = 0

  constructor({ url, signal, fetch: ask = fetch, isKnown = false }: StoreClientOptions) {
    this.url = url
    this.#hasAnswered = isKnown
    this.#signal = signal
    const counted: typeof fetch = async (input, init) => {
      this.requests++
      const signals = init?.signal ? [init.signal, signal] : [signal]
      const response = await ask(input, { ...init, signal: AbortSignal.any(signals) })
      return this.#counted(response)
    }
    this.#reader = new TraceReader(url, { fetch: counted, countLimit, timeoutMs, searchMs })
  }

  /** Why the answers may be incomplete, in words. */
  get problems(): readonly string[] {
    return this.#problems
  }

  async services(): Promise<string[]> {
    return (await this.#attempt('services', () => this.#reader.services())) ?? []
  }

  /** Undefined if the store does not answer. */
  async operations(service: string): Promise<string[] | undefined> {
    return await this.#attempt(`names of ${service}`, () => this.#reader.operations(service))
  }

  /** Without traces if the store does not answer: `problems` has the reason. */
  async find(what: string, query: Search): Promise<FindResult> {
    const found = await this.#attempt(what, () => this.#reader.find({ limit: searchLimit, ...query }))
    return found ?? { traces: [], partial: undefined }
  }

  note(problem: string): void {
    if (!this.#problems.includes(problem)) this.#problems.push(problem)
  }

  /** Throws if it is the first request of a store that is not known, and after some failures in a row: then nothing more will come. */
  async #attempt<T>(what: string, ask: () => Promise<T>): Promise<T | undefined> {
    this.#signal.throwIfAborted()
    try {
      const answer = await ask()
      this.#failures = 0
      this.#hasAnswered = true
      return answer
    } catch (error) {
      this.#signal.throwIfAborted()
      this.#failures++
      if (!this.#hasAnswered) throw error
      this.note(`${what}: ${errorMessage(error)}`)
      if (this.#failures >= maxFailures) throw new StoreGone()
      return undefined
    }
  }

  #counted(response: Response): Response {
    if (response.body === null) return response
    const count = new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => {
        this.bytes += chunk.byteLength
        controller.enqueue(chunk)
      },
    })
    return new Response(response.body.pipeThrough(count), response)
  }
}

/** The store has stopped answering; what was read before stays. */
export class StoreGone extends Error {}
