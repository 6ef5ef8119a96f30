import type { Connection, Stream } from '@libp2p/interface'
import type { Registrar } from '@libp2p/interface-internal'
import { type LengthPrefixedStream, lpStream } from '@libp2p/utils'
import { type AttributesOf, emitSpan, type SpanEffect } from '../../catalogue/span-effect.ts'
import { errorMessage, MeshError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import type { Clock, Random } from '../../core/machine.ts'
import type { OwnedMap } from '../../core/owned-map.ts'
import type { Owner } from '../../core/owner.ts'
import { childOf, spanIn, type TraceRef } from '../../core/trace.ts'
import { type Deadline, pause, RateLimiter, raceAbort, sampleMs, startDeadline } from '../clock.ts'
import { checkSize, decodeMessage, encodeMessage, envelopeBytes } from './envelope.ts'
import { activeSpan, withRemoteSpan } from './trace-context.ts'

export interface MeshRequest {
  readonly topic: string
  /** Peer id of the requester. */
  readonly from: string
  readonly data: Uint8Array
  /** The sampled span of the sender. */
  readonly trace: TraceRef | undefined
}

/** Runs within the trace of the request, so its spans and its own requests join that trace. */
export type RequestHandler = (request: MeshRequest) => Uint8Array | Promise<Uint8Array>

export interface RequestOptions {
  /**
   * Milliseconds until the response must arrive.
   *
   * @default 10_000
   */
  readonly timeoutMs?: number
  /** Aborts the request: it rejects with the reason of the signal, and its stream is reset at once. */
  readonly signal?: AbortSignal | undefined
}

interface RequestsOptions {
  readonly owner: Owner
  readonly clock: Clock
  readonly registrar: Pick<Registrar, 'handle' | 'unhandle'>
  /** The connection that carries the link to a peer; undefined without a link. */
  readonly connectionTo: (peer: string) => Connection | undefined
  /** Whether this node has accepted the peer's hello. */
  readonly isMember: (peer: string) => boolean
  readonly messageBytes: number
  readonly spans: RequestSpans
  /** A stream on this connection has been opening for `ms`. */
  readonly onSlow: (connection: string, protocol: string, ms: number) => void
  /** A handler of the application failed. */
  readonly onHandlerError: (request: MeshRequest, error: unknown) => void
}

const protocol = '/tracemesh/request/1.0.0'
const timeoutMs = 10_000
/** A stream that takes longer to open is a reason to check the connection. */
const slowMs = 3_000
const status = { ok: 0, handlerFailed: 1, noHandler: 2, notAMember: 3 } as const
/** `error.type` of each status that carries no response. */
const errorTypes: readonly (string | undefined)[] = [undefined, 'handler-failed', 'no-handler', 'not-a-member']
/** A peer may send a request before its hello arrives: streams have no order among each other. */
const memberPolls = 10
const memberPollMs = 50

/** The other side answered with an error status. */
class Refusal extends Error {
  constructor(code: number | undefined, message: string) {
    super(message)
    this.name = errorTypes[code ?? 0] ?? 'unknown-status'
  }
}

/** One stream per request: topic and request, then a status byte and the response. */
export class Requests {
  readonly #options: RequestsOptions
  readonly #handlers: OwnedMap<string, RequestHandler>

  constructor(options: RequestsOptions) {
    this.#options = options
    this.#handlers = options.owner.map<string, RequestHandler>({
      name: 'requests',
      capacity: limits.topics,
      expiry: { event: 'the application removes it' },
      release: () => {},
    })
  }

  async start(): Promise<void> {
    const { registrar, owner } = this.#options
    await registrar.handle(protocol, (stream, connection) => this.#serve(stream, connection))
    owner.adopt('request protocol', () => registrar.unhandle(protocol))
  }

  /** One handler per topic: a second one replaces the first. Returns a function that removes the handler. */
  respond(topic: string, handler: RequestHandler): () => void {
    this.#handlers.set(topic, handler, this.#options.clock.now())
    return () => {
      this.#handlers.deleteIf(topic, (current) => current === handler)
    }
  }

  /**
   * Throws MESH_NO_LINK, MESH_MESSAGE_TOO_LARGE, the reason of an aborted signal, or MESH_REQUEST_FAILED with the cause
   * at the peer or on the way.
   */
  async request(peer: string, topic: string, data: Uint8Array, options: RequestOptions = {}): Promise<Uint8Array> {
    options.signal?.throwIfAborted()
    const connection = this.#options.connectionTo(peer)
    if (connection === undefined) throw new MeshError('MESH_NO_LINK', { peer })
    const { messageBytes, spans } = this.#options
    checkSize(data, messageBytes)
    const span = spans.startSent({ peer, topic, data })
    const body = encodeMessage({ body: data, ...(span.context && { trace: span.context }) }, messageBytes)
    const deadline = this.#startDeadline(options.timeoutMs ?? timeoutMs, options.signal)
    try {
      // QUIC streams ignore signals while they open.
      const response = await raceAbort(deadline.signal, this.#exchange(connection, topic, body, deadline))
      span.end({ response })
      return response
    } catch (error) {
      span.end({ error })
      options.signal?.throwIfAborted()
      throw new MeshError('MESH_REQUEST_FAILED', { peer, topic, cause: errorMessage(error) }, { cause: error })
    }
  }

  async #exchange(connection: Connection, topic: string, body: Uint8Array, deadline: Deadline): Promise<Uint8Array> {
    const { signal, clear } = deadline
    const cancelSlow = this.#options.owner.after(slowMs, () => this.#options.onSlow(connection.id, protocol, slowMs))
    const opening = connection.newStream(protocol, { signal }).finally(cancelSlow)
    const stream = await opening.catch((error: unknown) => {
      clear()
      throw error
    })
    try {
      const wire = this.#framed(stream)
      await wire.writeV([new TextEncoder().encode(topic), body], { signal })
      const answer = (await wire.read({ signal })).subarray()
      if (answer[0] === status.ok) return answer.subarray(1)
      throw new Refusal(answer[0], new TextDecoder().decode(answer.subarray(1)))
    } finally {
      closeStream(stream, deadline)
    }
  }

  async #serve(stream: Stream, connection: Connection): Promise<void> {
    const deadline = this.#startDeadline(timeoutMs)
    const { signal } = deadline
    try {
      const wire = this.#framed(stream)
      const from = connection.remotePeer.toString()
      if (!(await this.#waitForMember(from))) {
        const refusal = Buffer.concat([Uint8Array.of(status.notAMember), encodeText('request refused: not a member')])
        return await wire.write(Uint8Array.from(refusal), { signal })
      }
      const topic = new TextDecoder().decode((await wire.read({ signal })).subarray())
      const { body: data, trace } = decodeMessage((await wire.read({ signal })).subarray())
      const [code, answer] = await this.#answer({ topic, from, data, trace })
      await wire.write(Uint8Array.from(Buffer.concat([Uint8Array.of(code), answer])), { signal })
    } catch (error) {
      stream.abort(asError(error))
    } finally {
      closeStream(stream, deadline)
    }
  }

  async #waitForMember(peer: string): Promise<boolean> {
    const { isMember, owner } = this.#options
    for (let poll = 0; poll < memberPolls && !isMember(peer) && !owner.closed; poll++) {
      await pause(owner, memberPollMs)
    }
    return isMember(peer)
  }

  async #answer(request: MeshRequest): Promise<readonly [number, Uint8Array]> {
    const handler = this.#handlers.get(request.topic)
    if (handler === undefined) return [status.noHandler, encodeText(`no handler for topic "${request.topic}"`)]
    const result = await this.#runHandler(handler, request)
    return 'error' in result
      ? [status.handlerFailed, encodeText(errorMessage(result.error))]
      : [status.ok, result.response]
  }

  /** The response must fit the frame limit of the other side. */
  async #runHandler(handler: RequestHandler, request: MeshRequest): Promise<Result> {
    const { spans, messageBytes, onHandlerError } = this.#options
    const { from: peer, topic, data, trace } = request
    const span = spans.startHandled({ peer, topic, data }, trace)
    const result = await withRemoteSpan(span.context, async (): Promise<Result> => {
      try {
        const response = await handler(request)
        checkSize(response, messageBytes)
        return { response }
      } catch (error) {
        onHandlerError(request, error)
        return { error }
      }
    })
    span.end(result)
    return result
  }

  #framed(stream: Stream): LengthPrefixedStream {
    return lpStream(stream, { maxDataLength: this.#options.messageBytes + envelopeBytes + 1 })
  }

  #startDeadline(ms: number, caller?: AbortSignal): Deadline {
    const { signal } = this.#options.owner
    return startDeadline(ms, caller === undefined ? [signal] : [signal, caller])
  }
}

/** Every handler closes its side: on QUIC a half-open stream counts against the peer’s limit forever. */
function closeStream(stream: Stream, { signal, clear }: Deadline): void {
  // A close would wait for the other side.
  if (signal.aborted) stream.abort(asError(signal.reason))
  else {
    const closing = stream.close({ signal }).catch((error: unknown) => stream.abort(asError(error)))
    void closing.finally(clear)
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}

function encodeText(message: string): Uint8Array {
  return new TextEncoder().encode(message.slice(0, 256))
}

interface RequestSpansOptions {
  readonly clock: Clock
  readonly random: Random
  readonly emitSpan: (effect: SpanEffect) => void
  /** Whether this node exports spans: only then may other spans be their children. */
  readonly exportsSpans: boolean
}

/** Outcome of a request. */
export type Result = { readonly response: Uint8Array } | { readonly error: unknown }

interface RequestSpan {
  /** Parent for spans at the other side or in the handler; the enclosing span if this one is not sampled. */
  readonly context: TraceRef | undefined
  /** Emits the span if it is sampled. */
  readonly end: (result: Result) => void
}

/** The request that a span describes. */
interface RequestInfo {
  /** The other side. */
  readonly peer: string
  readonly topic: string
  readonly data: Uint8Array
}

interface Ids {
  /** Undefined when the span is not sampled. */
  readonly ref: TraceRef | undefined
  readonly parent: TraceRef | undefined
}

type RequestSpanName = 'mesh.request.sent' | 'mesh.request.handled'

/** Samples request spans: at most one per second and direction, independent of the other side's sampling. */
export class RequestSpans {
  readonly #options: RequestSpansOptions
  readonly #sentRate = new RateLimiter(sampleMs)
  readonly #handledRate = new RateLimiter(sampleMs)

  constructor(options: RequestSpansOptions) {
    this.#options = options
  }

  /** Starts the span of an outbound request. */
  startSent(request: RequestInfo): RequestSpan {
    const { clock, random, exportsSpans } = this.#options
    const active = activeSpan()
    const parent = active?.isSampled ? active.ref : undefined
    const ref = this.#sentRate.take(clock.now()) ? spanIn(parent, random) : undefined
    const isUnsampled = active !== undefined && !active.isSampled
    const context = ref !== undefined && exportsSpans && !isUnsampled ? ref : parent
    return { context, end: this.#endSpan('mesh.request.sent', request, { ref, parent }) }
  }

  /** Starts the span of a handler's request; `remote` is the sender's span. */
  startHandled(request: RequestInfo, remote: TraceRef | undefined): RequestSpan {
    const { clock, random, exportsSpans } = this.#options
    const isSampled = remote !== undefined && this.#handledRate.take(clock.now())
    const ref = isSampled ? childOf(remote, random) : undefined
    const context = ref !== undefined && exportsSpans ? ref : remote
    return { context, end: this.#endSpan('mesh.request.handled', request, { ref, parent: remote }) }
  }

  #endSpan(name: RequestSpanName, { peer, topic, data }: RequestInfo, { ref, parent }: Ids): (result: Result) => void {
    const since = this.#options.clock.now()
    return (result) => {
      if (ref === undefined) return
      const request = { 'mesh.peer.id': peer, 'mesh.request.topic': topic, 'mesh.request.bytes': data.length }
      const timing = { ref, parent: parent ?? null, since, failed: 'error' in result }
      this.#options.emitSpan(emitSpan(name, { ...request, ...attributesOf(result) }, timing))
    }
  }
}

function attributesOf(result: Result): Partial<AttributesOf<RequestSpanName>> {
  if ('response' in result) return { 'mesh.response.bytes': result.response.length }
  return { 'error.type': errorType(result.error), 'mesh.error.message': errorMessage(result.error) }
}

function errorType(error: unknown): string {
  if (error instanceof MeshError) return error.code
  return error instanceof Error ? error.name : typeof error
}
