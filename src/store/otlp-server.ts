import {
  logVerbosity,
  Server,
  ServerCredentials,
  type ServiceError,
  type sendUnaryData,
  setLogVerbosity,
  status,
} from '@grpc/grpc-js'
import type { HostPort } from '../admin/host-port.ts'
import { createDecoder } from './decode.ts'
import { maxNesting, maxOriginChars, recordsOf } from './span-record.ts'
import type { Export } from './span-store.ts'
import { type DecodedRequest, traceService, type WireResponse } from './wire.ts'

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
        (error: unknown) => callback({ code: status.UNAVAILABLE, details: messageOf(error) }),
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
    return { code: status.INVALID_ARGUMENT, details: `not an OTLP trace request: ${messageOf(error)}` }
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
