import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js'
import {
  decimal,
  milliseconds,
  traceService,
  type WireKeyValue,
  type WireRequest,
  type WireSpan,
  type WireValue,
} from '../../store/wire.ts'

export interface Receiver {
  /** `http://127.0.0.1:<port>`, or `https`; stays the same over `stop` and `restart`. */
  readonly endpoint: string
  /** In order of arrival; a span that arrives twice is in it twice. */
  readonly spans: readonly ReceivedSpan[]
  /** Resolves to the first span for which `predicate` holds; rejects after `timeoutMs`. */
  waitFor(predicate: (span: ReceivedSpan) => boolean, timeoutMs: number): Promise<ReceivedSpan>
  /** Rejects exports with this status, UNAVAILABLE by default, until `resume`. */
  pause(code?: number): void
  resume(): void
  /** Closes the port and every connection, as if the process had died. Keeps its spans. */
  stop(): Promise<void>
  /** Listens on the same port again. */
  restart(): Promise<void>
  close(): Promise<void>
}

export interface ReceiverOptions {
  /** By default a free one. */
  readonly port?: number
  /** Credentials for TLS; without them it uses plain text. */
  readonly tls?: ServerCredentials
  /** Rejects every other `authorization` header as UNAUTHENTICATED, with the header in the message. */
  readonly authorization?: string
  /** Milliseconds between a batch and its answer; 0 by default. */
  readonly answerMs?: number
  /** Gets each accepted request as it came, before its spans are readable. */
  readonly onRequest?: (request: WireRequest) => void
}

/** An OTLP gRPC receiver that keeps spans in memory, for tests. Loopback only. */
export async function startReceiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const { port = 0, tls, authorization, answerMs = 0, onRequest } = options
  const credentials = tls ?? ServerCredentials.createInsecure()
  const spans: ReceivedSpan[] = []
  const watchers = new Set<(span: ReceivedSpan) => void>()
  let pauseStatus: number | undefined
  const handler = (call: ServerUnaryCall<WireRequest, object>, answer: sendUnaryData<object>): void => {
    if (pauseStatus !== undefined) {
      answer({ code: pauseStatus, details: 'paused' })
      return
    }
    const [header] = call.metadata.get('authorization')
    if (authorization !== undefined && header !== authorization) {
      answer({ code: status.UNAUTHENTICATED, details: `unknown token ${String(header).split(' ')[1]}` })
      return
    }
    onRequest?.(call.request)
    for (const span of spansOf(call.request)) {
      spans.push(span)
      for (const watch of watchers) watch(span)
    }
    if (answerMs === 0) answer(null, {})
    else setTimeout(() => answer(null, {}), answerMs)
  }
  let server = await listen(port, credentials, handler)
  const bound = server.port
  return {
    endpoint: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${bound}`,
    spans,
    waitFor: (predicate, timeoutMs) => waitForSpan(spans, watchers, predicate, timeoutMs),
    pause: (code = status.UNAVAILABLE) => {
      pauseStatus = code
    },
    resume: () => {
      pauseStatus = undefined
    },
    stop: async () => server.stop(),
    restart: async () => {
      server = await listen(bound, credentials, handler)
    },
    close: async () => {
      server.stop()
      watchers.clear()
    },
  }
}

type Handler = (call: ServerUnaryCall<WireRequest, object>, answer: sendUnaryData<object>) => void

async function listen(port: number, credentials: ServerCredentials, handler: Handler) {
  const server = new Server()
  server.addService(traceService(), { Export: handler })
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, credentials, (error, actual) =>
      error === null ? resolve(actual) : reject(error),
    )
  })
  return { port: bound, stop: () => server.forceShutdown() }
}

async function waitForSpan(
  spans: readonly ReceivedSpan[],
  watchers: Set<(span: ReceivedSpan) => void>,
  predicate: (span: ReceivedSpan) => boolean,
  timeoutMs: number,
): Promise<ReceivedSpan> {
  const { promise, resolve, reject } = Promise.withResolvers<ReceivedSpan>()
  const watch = (span: ReceivedSpan) => {
    if (predicate(span)) resolve(span)
  }
  const fail = () => reject(new Error(`no such span within ${timeoutMs} ms; ${spans.length} others arrived`))
  spans.forEach(watch)
  watchers.add(watch)
  const timer = setTimeout(fail, timeoutMs)
  return promise.finally(() => {
    clearTimeout(timer)
    watchers.delete(watch)
  })
}

/** One span as decoded by the receiver. Ids are lower-case hex, `parentSpanId` is empty for a root. */
export interface ReceivedSpan {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[]
  readonly attributes: Readonly<Record<string, AttributeValue>>
  /** Shared by all spans of one request and resource. */
  readonly resource: Readonly<Record<string, AttributeValue>>
  /** Unix milliseconds. */
  readonly startMs: number
  readonly endMs: number
  readonly status: 'unset' | 'ok' | 'error'
}

export type AttributeValue = string | number | boolean | readonly AttributeValue[]

export function spansOf(request: WireRequest): ReceivedSpan[] {
  return request.resource_spans.flatMap(({ resource, scope_spans }) => {
    const shared = record(resource?.attributes ?? [])
    return scope_spans.flatMap((scope) => scope.spans.map((span) => decode(span, shared)))
  })
}

function decode(span: WireSpan, resource: ReceivedSpan['resource']): ReceivedSpan {
  return {
    name: span.name,
    traceId: span.trace_id.toString('hex'),
    spanId: span.span_id.toString('hex'),
    parentSpanId: span.parent_span_id.toString('hex'),
    links: span.links.map((link) => ({ traceId: link.trace_id.toString('hex'), spanId: link.span_id.toString('hex') })),
    attributes: record(span.attributes),
    resource,
    startMs: milliseconds(span.start_time_unix_nano),
    endMs: milliseconds(span.end_time_unix_nano),
    status: (['unset', 'ok', 'error'] as const)[span.status?.code ?? 0] ?? 'unset',
  }
}

function record(pairs: readonly WireKeyValue[]): Record<string, AttributeValue> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, plain(value)]))
}

function plain(wire: WireValue | null): AttributeValue {
  switch (wire?.value) {
    case 'bool_value':
      return wire.bool_value ?? false
    case 'int_value':
      return wire.int_value === undefined ? 0 : Number(decimal(wire.int_value))
    case 'double_value':
      return wire.double_value ?? 0
    case 'array_value':
      return (wire.array_value?.values ?? []).map(plain)
    default:
      return wire?.string_value ?? ''
  }
}
