import { Client, credentials, status } from '@grpc/grpc-js'
import { bypassesProxy } from '../telemetry/otlp-proxy.ts'
import { traceService, type WireResponse } from './wire.ts'

export interface ExportResult {
  /** gRPC status code; 0 is OK. */
  readonly code: number
  readonly details: string
  readonly response: WireResponse | undefined
}

export interface OtlpClient {
  /** Sends a request of `exportBytes`, or malformed bytes. Never rejects. */
  send(bytes: Buffer): Promise<ExportResult>
  close(): void
}

/** A span to be sent, with the fields that test data needs. */
export interface SentSpan {
  /** 32 hex digits. */
  readonly traceId: string
  /** 16 hex digits. */
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind?: number
  readonly startMs: number
  readonly durationMs?: number
  readonly attributes?: Readonly<Record<string, SentValue>>
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[]
  readonly status?: number
  readonly events?: readonly {
    readonly name: string
    readonly atMs: number
    readonly attributes?: Readonly<Record<string, SentValue>>
  }[]
}

export type SentValue = string | number | boolean | readonly SentValue[]

/** Sends OTLP requests by gRPC, one connection, to `url`: `http://host:port`, or `https:` for TLS. */
export function otlpClient(url: string): OtlpClient {
  const { path, responseDeserialize } = traceService().Export
  const { host, hostname, protocol } = new URL(url)
  const channel = bypassesProxy(hostname) ? { 'grpc.enable_http_proxy': 0 } : {}
  const security = protocol === 'https:' ? credentials.createSsl() : credentials.createInsecure()
  const client = new Client(host, security, channel)
  const encoded = (bytes: Buffer) => bytes
  return {
    send: (bytes) =>
      new Promise((resolve) => {
        const options = { deadline: Date.now() + 30_000 }
        client.makeUnaryRequest(path, encoded, responseDeserialize, bytes, options, (error, response) =>
          resolve({ code: error?.code ?? status.OK, details: error?.details ?? '', response }),
        )
      }),
    close: () => client.close(),
  }
}

const { requestSerialize } = traceService().Export

/**
 * A request with one resource. Concatenated requests are one request with several resources. `version`: of the
 * instrumentation scope.
 */
export function exportBytes(
  resource: Readonly<Record<string, SentValue>>,
  spans: readonly SentSpan[],
  version = '',
): Buffer {
  const request = {
    resource_spans: [
      {
        resource: { attributes: toWireAttributes(resource) },
        scope_spans: [{ scope: { name: 'tracemesh', version }, spans: spans.map(toWireSpan) }],
      },
    ],
  }
  return requestSerialize(request as unknown as Parameters<typeof requestSerialize>[0])
}

function toWireSpan(span: SentSpan): object {
  return {
    trace_id: hex(span.traceId),
    span_id: hex(span.spanId),
    parent_span_id: hex(span.parentSpanId ?? ''),
    name: span.name,
    kind: span.kind ?? 1,
    start_time_unix_nano: nanos(span.startMs),
    end_time_unix_nano: nanos(span.startMs + (span.durationMs ?? 0)),
    attributes: toWireAttributes(span.attributes ?? {}),
    links: (span.links ?? []).map((link) => ({ trace_id: hex(link.traceId), span_id: hex(link.spanId) })),
    events: (span.events ?? []).map(({ name, atMs, attributes }) => ({
      name,
      time_unix_nano: nanos(atMs),
      attributes: toWireAttributes(attributes ?? {}),
    })),
    status: { code: span.status ?? 0 },
  }
}

function toWireAttributes(record: Readonly<Record<string, SentValue>>): object[] {
  return Object.entries(record).map(([key, value]) => ({ key, value: toWireValue(value) }))
}

function toWireValue(value: SentValue): object {
  if (typeof value === 'string') return { string_value: value }
  if (typeof value === 'boolean') return { bool_value: value }
  if (typeof value === 'number') return Number.isInteger(value) ? { int_value: value } : { double_value: value }
  return { array_value: { values: value.map(toWireValue) } }
}

function hex(id: string): Buffer {
  return Buffer.from(id, 'hex')
}

/** Converts milliseconds with up to six decimals. */
function nanos(ms: number): string {
  const whole = Math.floor(ms)
  return String(BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1e6)))
}
