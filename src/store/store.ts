import { setFlagsFromString } from 'node:v8'
import type { Logger } from 'pino'
import { type HostPort, parseHostPort } from '../admin/host-port.ts'
import { isLoopback } from '../core/address.ts'
import { errorMessage, MeshError } from '../core/errors.ts'
import { type Rule, whole } from '../kit/rules.ts'
import { Intake, startOtlpServer } from './otlp-server.ts'
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
  const address = parseLoopback('--otlp', options.otlp)
  parseLoopback('--http', options.http)
  checkRule('--max-spans', rules.maxSpans, maxSpans)
  checkRule('--max-mb', rules.maxBytes, maxBytes)
  checkRule('--max-age', rules.maxAgeMs, maxAgeMs)

  const closeSteps: (() => void | Promise<void>)[] = []
  const close = async () => {
    for (const step of closeSteps.splice(0).reverse()) await step()
  }
  try {
    const store = new SpanStore({ file, maxSpans, maxBytes, maxAgeMs })
    closeSteps.push(() => store.close())
    const onError = (error: unknown) => logger?.error({ err: error }, 'HTTP request failed')
    const query = await startQueryServer({ store, onError, listen: options.http })
    closeSteps.push(() => query.close())
    const intake = new Intake(store, logger)
    closeSteps.push(() => intake.close())
    const starting = startOtlpServer({ address, ingest: (one) => intake.ingest(one) })
    const receiver = await starting.catch((error: unknown) => Promise.reject(toListenError(options.otlp, error)))
    closeSteps.push(() => receiver.close())
    const host = address.host.includes(':') ? `[${address.host}]` : address.host
    return { otlpUrl: `http://${host}:${receiver.port}`, queryUrl: query.url, close }
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

/** gRPC names the cause in the message only. */
function toListenError(text: string, error: unknown): unknown {
  const key = '--otlp'
  const message = errorMessage(error)
  if (message.includes('EADDRINUSE')) return new MeshError('MESH_PORT_TAKEN', { key, address: text }, { cause: error })
  return /EADDRNOTAVAIL|EACCES|ENOTFOUND|EAI_AGAIN|No address added/.test(message)
    ? invalid(key, text, `an address that this machine can listen at (${message})`)
    : error
}

function invalid(key: string, given: string | number, expected: string): MeshError {
  return new MeshError('MESH_CONFIG_INVALID', { key, given: JSON.stringify(given), expected })
}

/**
 * Makes V8 collect garbage when the heap has grown by a third, not to a multiple: nearly all that an export allocates
 * is garbage at once, and a store that receives 6,000 spans a second accumulated 50 MiB of it.
 *
 * An engine without this flag warns on stderr and ignores it.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--heap-growing-percent=33')
}
