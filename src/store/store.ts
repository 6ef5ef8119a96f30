import type { Logger } from 'pino'
import { type HostPort, isLoopback, parseHostPort } from '../admin/host-port.ts'
import { MeshError } from '../core/errors.ts'
import { type Rule, whole } from '../kit/rules.ts'
import { createDecoder } from './decode.ts'
import { Intake } from './intake.ts'
import { startOtlpServer } from './otlp-server.ts'
import { startQueryServer } from './query-server.ts'
import { SpanStore } from './span-store.ts'

export interface StoreOptions {
  /** `host:port` of OTLP over gRPC, on loopback; port 0 picks a free one. */
  readonly otlp: string
  /** `host:port` of `/api/v3`, on loopback; port 0 picks a free one. */
  readonly http: string
  /** A path, or `:memory:`. */
  readonly file: string
  /** At least 10,000: some 2,000 stay fresh, and only packed spans are evicted. */
  readonly maxSpans: number
  /** On disk, the journal included. At least 32 MiB. */
  readonly maxBytes: number
  readonly maxAgeMs: number
  readonly logger?: Logger
}

export interface RunningStore {
  /** `http://127.0.0.1:<port>` */
  readonly otlpUrl: string
  readonly queryUrl: string
  close(): Promise<void>
}

const mebibyte = 1_024 * 1_024

/** Lower bounds: bytes twice the reserve for the journal, spans about five times the number packed at once. */
export const rules = {
  maxSpans: whole(10_000, 1_000_000_000, 'spans'),
  maxBytes: whole(32 * mebibyte, 1_000_000_000_000, 'bytes'),
  maxAgeMs: whole(1, Number.MAX_SAFE_INTEGER, 'milliseconds'),
} as const

/** A day of eighteen nodes is two million spans. */
export const defaults = { maxSpans: 2_500_000, maxBytes: 500_000_000, maxAgeMs: 24 * 3_600_000 } as const

/**
 * Runs a trace store for one machine: receives OTLP over gRPC, stores in SQLite, serves Jaeger's `/api/v3`. It
 * acknowledges spans after the commit.
 *
 * @throws MESH_CONFIG_INVALID, MESH_PORT_TAKEN, MESH_STORE_UNUSABLE
 */
export async function startStore(options: StoreOptions): Promise<RunningStore> {
  const { file, maxSpans, maxBytes, maxAgeMs, logger } = options
  const otlp = { key: '--otlp', text: options.otlp, address: parseLoopback('--otlp', options.otlp) }
  const http = { key: '--http', text: options.http, address: parseLoopback('--http', options.http) }
  checkRule('--max-spans', rules.maxSpans, maxSpans)
  checkRule('--max-mb', rules.maxBytes, maxBytes)
  checkRule('--max-age', rules.maxAgeMs, maxAgeMs)

  const closeSteps: (() => void | Promise<void>)[] = []
  const close = async () => {
    for (const step of closeSteps.splice(0).reverse()) await step()
  }
  try {
    const store = new SpanStore({ file, maxSpans, maxBytes, maxAgeMs, decode: createDecoder() })
    closeSteps.push(() => store.close())
    const onError = (error: unknown) => logger?.error({ err: error }, 'HTTP request failed')
    const query = await listen(http, startQueryServer({ store, onError, address: http.address }))
    closeSteps.push(() => query.close())
    const intake = new Intake(store, logger)
    closeSteps.push(() => intake.close())
    const receiver = await listen(otlp, startOtlpServer({ address: otlp.address, ingest: (one) => intake.ingest(one) }))
    closeSteps.push(() => receiver.close())
    return { otlpUrl: url(otlp.address, receiver.port), queryUrl: url(http.address, query.port), close }
  } catch (error) {
    await close()
    throw error
  }
}

function checkRule(key: string, { expected, schema }: Rule<number>, given: number): void {
  if (!schema.safeParse(given).success) throw invalid(key, given, expected)
}

function parseLoopback(key: string, text: string): HostPort {
  const address = parseHostPort(text)
  if (address === undefined) throw invalid(key, text, 'host:port (port 0 picks a free one)')
  if (!isLoopback(address.host)) throw invalid(key, text, 'a loopback host: the store has no authentication')
  return address
}

async function listen<T>({ key, text }: { key: string; text: string }, starting: Promise<T>): Promise<T> {
  try {
    return await starting
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    if (message.includes('EADDRINUSE')) throw new MeshError('MESH_PORT_TAKEN', { key, address: text }, { cause: error })
    if (/EADDRNOTAVAIL|EACCES|ENOTFOUND|EAI_AGAIN|No address added/.test(message))
      throw invalid(key, text, `an address that this machine can listen at (${message})`)
    throw error
  }
}

function url({ host }: HostPort, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

function invalid(key: string, given: string | number, expected: string): MeshError {
  return new MeshError('MESH_CONFIG_INVALID', { key, given: JSON.stringify(given), expected })
}
