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
import { decoder } from './decode.ts'
import { nestingMax, originChars, recordsOf } from './span-record.ts'
import type { Export } from './span-store.ts'
import { type DecodedRequest, traceService, type WireResponse } from './wire.ts'

export interface OtlpServerOptions {
  readonly address: HostPort
  /** Takes an export for good: its promise settles when that is done. A rejection is answered UNAVAILABLE. */
  readonly take: (one: Export) => Promise<void>
}

export interface OtlpServer {
  readonly port: number
  /** Ends connections that are open, too. */
  close(): void
}

/** Of one request, unpacked: what gRPC servers take unless told otherwise. */
const requestBytes = 4 * 1024 * 1024
/** Exports of one connection at once. A node has one. */
const concurrentStreams = 64

/**
 * Receives spans by OTLP over gRPC. What cannot be decoded is answered INVALID_ARGUMENT, what is too long
 * RESOURCE_EXHAUSTED, and single spans that cannot be kept are counted in `partial_success`. Rejects when it cannot listen.
 */
export async function startOtlpServer({ address, take }: OtlpServerOptions): Promise<OtlpServer> {
  const decode = decoder()
  const { Export } = traceService()
  // What it has to say comes with the errors that it gives; on the console it would be said twice.
  setLogVerbosity(logVerbosity.NONE)
  const server = new Server({
    'grpc.max_receive_message_length': requestBytes,
    'grpc.max_concurrent_streams': concurrentStreams,
  })
  // Decoded by hand: what gRPC does with a request that cannot be is INTERNAL, which says "try again".
  const raw = { Export: { ...Export, requestDeserialize: (bytes: Buffer) => bytes } }
  server.addService(raw, {
    Export: ({ request }: { request: Buffer }, answer: sendUnaryData<WireResponse>) => {
      const one = exportOf(request, decode)
      if ('code' in one) return answer(one)
      take(one).then(
        () => answer(null, responseTo(one)),
        (error: unknown) => answer({ code: status.UNAVAILABLE, details: messageOf(error) }),
      )
    },
  })
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${host}:${address.port}`, ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    )
  })
  return { port, close: () => server.forceShutdown() }
}

function exportOf(
  body: Buffer,
  decode: (body: Uint8Array) => DecodedRequest,
): Export | (Partial<ServiceError> & { code: number }) {
  try {
    return { body, ...recordsOf(decode(body)) }
  } catch (error) {
    return { code: status.INVALID_ARGUMENT, details: `no OTLP trace request: ${messageOf(error)}` }
  }
}

function responseTo({ refused }: Export): WireResponse {
  if (refused === 0) return {}
  return {
    partial_success: {
      rejected_spans: refused,
      error_message: `spans need a trace id and a span id that are not all zero, and a resource with a scope of at most ${originChars} characters as JSON, values nested ${nestingMax} deep at most and times within 64 bits`,
    },
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
