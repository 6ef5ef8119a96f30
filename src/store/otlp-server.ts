import {
  logVerbosity,
  Server,
  ServerCredentials,
  type ServiceError,
  type sendUnaryData,
  setLogVerbosity,
  status,
} from '@grpc/grpc-js'
import type { Logger } from 'pino'
import type { HostPort } from '../admin/host-port.ts'
import { errorMessage, isMeshError } from '../core/errors.ts'
import { maxNesting, maxOriginChars, recordsOf } from './span-record.ts'
import type { Export, SpanStore } from './span-store.ts'
import { createDecoder, type DecodedRequest, traceService, type WireResponse } from './wire.ts'

export interface OtlpServerOptions {
  readonly address: HostPort
  /** Stores an export durably before its promise resolves. A rejection is answered UNAVAILABLE. */
  readonly ingest: (one: Export) => Promise<void>
}

export interface OtlpServer {
  readonly port: number
  /** Closes open connections, too. */
  close(): void
}

/** Bytes of one request, uncompressed: the default of gRPC servers. */
const maxRequestBytes = 4 * 1024 * 1024
/** Concurrent exports per connection. A node has one. */
const maxConcurrentStreams = 64

/**
 * Receives spans by OTLP over gRPC. Answers INVALID_ARGUMENT to an undecodable request, RESOURCE_EXHAUSTED to one that
 * is too long, and counts refused spans in `partial_success`. Rejects if it cannot listen.
 */
export async function startOtlpServer({ address, ingest }: OtlpServerOptions): Promise<OtlpServer> {
  const decode = createDecoder()
  const { Export } = traceService()
  // gRPC also throws its errors; on the console they would appear twice.
  setLogVerbosity(logVerbosity.NONE)
  const server = new Server({
    'grpc.max_receive_message_length': maxRequestBytes,
    'grpc.max_concurrent_streams': maxConcurrentStreams,
  })
  // Decode here: gRPC answers an undecodable request with INTERNAL, which makes senders retry.
  const undecodedService = { Export: { ...Export, requestDeserialize: (bytes: Buffer) => bytes } }
  server.addService(undecodedService, {
    Export: ({ request }: { request: Buffer }, callback: sendUnaryData<WireResponse>) => {
      const one = decodeExport(request, decode)
      if ('code' in one) return callback(one)
      ingest(one).then(
        () => callback(null, responseTo(one)),
        (error: unknown) => callback({ code: status.UNAVAILABLE, details: errorMessage(error) }),
      )
    },
  })
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${host}:${address.port}`, ServerCredentials.createInsecure(), (error, boundPort) =>
      error === null ? resolve(boundPort) : reject(error),
    )
  })
  return { port, close: () => server.forceShutdown() }
}

function decodeExport(
  body: Buffer,
  decode: (body: Uint8Array) => DecodedRequest,
): Export | (Partial<ServiceError> & { code: number }) {
  try {
    return { body, ...recordsOf(decode(body)) }
  } catch (error) {
    return { code: status.INVALID_ARGUMENT, details: `not an OTLP trace request: ${errorMessage(error)}` }
  }
}

function responseTo({ refused }: Export): WireResponse {
  if (refused === 0) return {}
  return {
    partial_success: {
      rejected_spans: refused,
      error_message: `spans need a trace id and a span id that are not all zero, a resource and scope of at most ${maxOriginChars} characters as JSON, values nested at most ${maxNesting} deep and 64-bit times`,
    },
  }
}

interface PendingExport {
  readonly one: Export
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Interval between checks of the age of spans, in milliseconds. */
const checkIntervalMs = 5_000

/**
 * Commits the exports of one turn of the event loop together, then answers them. Packs and evicts afterwards, in steps
 * that do not block the event loop.
 */
export class Intake {
  readonly #store: SpanStore
  readonly #logger: Logger | undefined
  readonly #timer: NodeJS.Timeout
  #pending: PendingExport[] = []
  #isEvicting = false
  #isClosed = false
  /** The first failure is logged, then nothing until a commit succeeds. */
  #isFailing = false

  constructor(store: SpanStore, logger: Logger | undefined) {
    this.#store = store
    this.#logger = logger
    this.#timer = setInterval(() => this.#maintain(true), checkIntervalMs).unref()
    this.#maintain(true)
  }

  /** Rejects if the export could not be stored: with MESH_STORE_FULL, or with another error for a defect. */
  ingest(one: Export): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ one, resolve, reject })
      if (this.#pending.length === 1) setImmediate(() => this.#commit())
    })
  }

  /** Commits the pending exports. */
  close(): void {
    this.#commit()
    this.#isClosed = true
    clearInterval(this.#timer)
  }

  #commit(): void {
    const pending = this.#pending
    this.#pending = []
    if (pending.length === 0) return
    try {
      if (this.#isClosed) throw new Error('the store is stopping')
      this.#store.add(pending.map(({ one }) => one))
      this.#reportRecovery()
      for (const { resolve } of pending) resolve()
    } catch (error) {
      this.#reportFailure(error)
      for (const { reject } of pending) reject(error)
    }
    this.#maintain(false)
  }

  /** Packs if there is enough, then evicts. The timed call evicts first too, to make room for packing. */
  #maintain(isTimed: boolean): void {
    if (this.#isClosed) return
    if (isTimed) this.#tryTo(() => this.#evict())
    this.#tryTo(() => {
      if (this.#store.seal()) this.#evict()
    })
  }

  /** Evicts one step now and the next one in a later turn of the event loop, as long as there is more to evict. */
  #evict(): void {
    if (this.#isEvicting || !this.#store.evict()) return
    this.#isEvicting = true
    setImmediate(() => {
      this.#isEvicting = false
      if (!this.#isClosed) this.#tryTo(() => this.#evict())
    })
  }

  #tryTo(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#reportFailure(error)
    }
  }

  #reportRecovery(): void {
    if (this.#isFailing) this.#logger?.info('storing spans again')
    this.#isFailing = false
  }

  #reportFailure(error: unknown): void {
    if (this.#isFailing) return
    this.#isFailing = true
    const level = isMeshError(error, 'MESH_STORE_FULL') ? 'warn' : 'error'
    this.#logger?.[level]({ err: error }, 'storing spans failed; senders should retry')
  }
}
