import * as z from 'zod'
import { isLoopback, parseHostPort } from '../admin/host-port.ts'
import { MeshError } from '../core/errors.ts'
import { whole } from '../kit/rules.ts'
import { type Check, count, filePath } from '../node/config-schemas.ts'
import { parseDuration } from '../node/duration.ts'
import { defaults, leastBytes, type StoreOptions } from './store.ts'

interface Flag extends Check<unknown> {
  readonly about: string
  readonly fallback: string
}

const megabyte = 1_000_000
const leastMb = Math.ceil(leastBytes / megabyte)

/** Every flag of `tracemesh store`. */
export const storeFlags = {
  otlp: { about: 'where spans are received, by OTLP over gRPC', fallback: '127.0.0.1:4317', ...loopback() },
  http: { about: 'where /api/v3 answers', fallback: '127.0.0.1:16686', ...loopback() },
  file: {
    about: 'SQLite file that holds the spans; :memory: for none',
    fallback: '.tracemesh/traces.db',
    ...filePath(),
  },
  'max-spans': {
    about: 'spans kept; the oldest go first',
    fallback: String(defaults.maxSpans),
    ...count(whole(1, 1_000_000_000, 'spans')),
  },
  'max-mb': {
    about: 'MB on disk, the journal included; the oldest spans go first',
    fallback: String(defaults.maxBytes / megabyte),
    ...count(whole(leastMb, 1_000_000, 'MB')),
  },
  'max-age': {
    about: 'how long spans are kept since they came',
    fallback: '24h',
    expected: 'a duration such as 90s, 10m, 2h or 7d, from 1s to 24d',
    schema: z.string().transform(parseDuration).pipe(z.number()),
  },
} as const satisfies Record<string, Flag>

type FlagName = keyof typeof storeFlags

export const storeFlagEntries = Object.entries(storeFlags) as readonly (readonly [FlagName, Flag])[]

/** Checked options of what was given, by flag. Throws MESH_CONFIG_INVALID for the first that is not allowed. */
export function readStoreFlags(given: Readonly<Record<string, string | undefined>>): StoreOptions {
  const read = <K extends FlagName>(name: K): z.output<(typeof storeFlags)[K]['schema']> => {
    const { schema, expected, fallback } = storeFlags[name]
    const text = given[name] ?? fallback
    const result = schema.safeParse(text)
    if (result.success) return result.data as z.output<(typeof storeFlags)[K]['schema']>
    const shown = JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text)
    throw new MeshError('MESH_CONFIG_INVALID', { key: `--${name}`, given: shown, expected })
  }
  return {
    otlp: read('otlp'),
    http: read('http'),
    file: read('file'),
    maxSpans: read('max-spans'),
    maxBytes: read('max-mb') * megabyte,
    maxAgeMs: read('max-age'),
  }
}

function loopback(): Check<string> {
  const schema = z.string().refine((text) => isLoopback(parseHostPort(text)?.host ?? ''))
  return { expected: 'host:port with a loopback host (port 0 picks a free one)', schema }
}
