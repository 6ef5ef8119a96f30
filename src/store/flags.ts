import * as z from 'zod'
import { parseHostPort } from '../admin/host-port.ts'
import { isLoopback } from '../core/address.ts'
import { whole } from '../kit/rules.ts'
import { type Check, count, duration, filePath } from '../node/config-schemas.ts'
import { type FlagTable, type RawFlags, readFlags } from '../node/flag-table.ts'
import { defaults, rules, type StoreOptions } from './store.ts'

const megabyte = 1_000_000

/** Every flag of `tracemesh store`. */
export const storeFlags = {
  otlp: { description: 'listen address of OTLP over gRPC', defaultValue: '127.0.0.1:4317', ...loopback() },
  http: { description: 'listen address of /api/v3', defaultValue: '127.0.0.1:16686', ...loopback() },
  file: {
    description: 'SQLite file of the spans; :memory: for none',
    defaultValue: '.tracemesh/traces.db',
    ...filePath(),
  },
  'max-spans': {
    description: 'most spans; the oldest are evicted first',
    defaultValue: String(defaults.maxSpans),
    ...count(rules.maxSpans),
  },
  'max-mb': {
    description: 'most MB on disk, with the journal; the oldest spans are evicted first',
    defaultValue: String(defaults.maxBytes / megabyte),
    // 32 MiB, and a little.
    ...count(whole(34, 1_000_000, 'MB')),
  },
  'max-age': {
    description: 'how long spans are retained after arrival',
    defaultValue: '24h',
    ...duration(),
  },
  for: {
    description: 'time after which the store stops by itself',
    defaultText: 'until a signal',
    ...duration(),
  },
} as const satisfies FlagTable

/** Parses and checks the flags. Throws MESH_CONFIG_INVALID for the first invalid one. */
export function readStoreFlags(given: RawFlags): StoreOptions & { readonly forMs: number | undefined } {
  const read = readFlags(storeFlags, given)
  const { otlp, http, file } = read
  const [maxSpans, maxAgeMs] = [read['max-spans'], read['max-age']]
  return { otlp, http, file, maxSpans, maxBytes: read['max-mb'] * megabyte, maxAgeMs, forMs: read.for }
}

function loopback(): Check<string> {
  const schema = z.string().refine((text) => isLoopback(parseHostPort(text)?.host ?? ''))
  return { expected: 'host:port with a loopback host (port 0 picks a free one)', schema }
}
