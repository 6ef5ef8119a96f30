import * as z from 'zod'
import { isLoopback, parseHostPort } from '../admin/host-port.ts'
import { whole } from '../kit/rules.ts'
import { type Check, count, filePath } from '../node/config-schemas.ts'
import { duration } from '../node/duration.ts'
import { type FlagTable, type GivenFlags, readFlags } from '../node/flag-table.ts'
import { defaults, rules, type StoreOptions } from './store.ts'

const megabyte = 1_000_000

/** Every flag of `tracemesh store`. */
export const storeFlags = {
  otlp: { about: 'listen address of OTLP over gRPC', fallback: '127.0.0.1:4317', ...loopback() },
  http: { about: 'listen address of /api/v3', fallback: '127.0.0.1:16686', ...loopback() },
  file: {
    about: 'SQLite file of the spans; :memory: for none',
    fallback: '.tracemesh/traces.db',
    ...filePath(),
  },
  'max-spans': {
    about: 'most spans; the oldest are evicted first',
    fallback: String(defaults.maxSpans),
    ...count(rules.maxSpans),
  },
  'max-mb': {
    about: 'most MB on disk, with the journal; the oldest spans are evicted first',
    fallback: String(defaults.maxBytes / megabyte),
    // 32 MiB, and a little.
    ...count(whole(34, 1_000_000, 'MB')),
  },
  'max-age': {
    about: 'how long spans are retained after arrival',
    fallback: '24h',
    ...duration(),
  },
  for: {
    about: 'time after which the store stops by itself',
    fallbackText: 'until a signal',
    ...duration(),
  },
} as const satisfies FlagTable

/** Parses and checks the flags. Throws MESH_CONFIG_INVALID for the first invalid one. */
export function readStoreFlags(given: GivenFlags): StoreOptions & { readonly forMs: number | undefined } {
  const read = readFlags(storeFlags, given)
  const { otlp, http, file } = read
  const [maxSpans, maxAgeMs] = [read['max-spans'], read['max-age']]
  return { otlp, http, file, maxSpans, maxBytes: read['max-mb'] * megabyte, maxAgeMs, forMs: read.for }
}

function loopback(): Check<string> {
  const schema = z.string().refine((text) => isLoopback(parseHostPort(text)?.host ?? ''))
  return { expected: 'host:port with a loopback host (port 0 picks a free one)', schema }
}
