import * as z from 'zod'
import { isLoopback, parseHostPort } from '../admin/host-port.ts'
import { MeshError } from '../core/errors.ts'
import { endpointOrOff, whole } from '../kit/rules.ts'
import { type Check, count } from '../node/config-schemas.ts'
import { parseDuration } from '../node/duration.ts'
import { nodesMax, seedsPerMesh } from './plan.ts'

interface Flag extends Check<unknown> {
  readonly about: string
  readonly fallback?: string
  readonly fallbackText?: string
}

/** Every flag of `tracemesh lab` that takes a value. */
export const labFlags = {
  nodes: {
    about: 'nodes of each mesh, bridges not counted',
    fallback: '8',
    ...count(whole(seedsPerMesh + 1, nodesMax, 'nodes')),
  },
  meshes: { about: 'meshes', fallback: '2', ...count(whole(1, 8, 'meshes')) },
  bridges: {
    about: 'nodes that are in two meshes',
    fallbackText: '2, none for a single mesh',
    // None is no missing limit here.
    ...count(whole(0, 16, 'bridges')),
  },
  for: {
    about: 'time after which the lab ends by itself',
    fallbackText: 'until q or a signal',
    expected: 'a duration such as 90s, 10m, 2h or 7d, from 1s to 24d',
    schema: z.string().transform(parseDuration).pipe(z.number()),
  },
  seed: {
    about: 'draws which nodes are late and in which order they start',
    fallbackText: 'another each time',
    ...count(whole(0, 2 ** 32 - 1)),
  },
  otlp: {
    about: 'OTLP receiver that gets the spans in place of a store of the lab’s own',
    ...endpointOrOff(),
  },
  query: { about: 'where that receiver answers /api/v3', ...url() },
  'jaeger-ui': { about: 'page of Jaeger that links lead to', ...url() },
  page: {
    about: 'where the page is; the next free port when it is taken',
    fallback: '127.0.0.1:16680',
    expected: 'host:port with a loopback host (port 0 picks a free one), or off',
    schema: z.string().refine((text) => text === 'off' || isLoopback(parseHostPort(text)?.host ?? '')),
  },
  identities: {
    about: 'directory of key files, so that the next lab has the same nodes',
    expected: 'the path of a directory',
    schema: z
      .string()
      .min(1)
      .max(4_000)
      .regex(/^[^\0]*$/),
  },
} as const satisfies Record<string, Flag>

type FlagName = keyof typeof labFlags
type Value<K extends FlagName> = z.output<(typeof labFlags)[K]['schema']>

export type LabFlags = {
  readonly [K in FlagName]: (typeof labFlags)[K] extends { readonly fallback: string } ? Value<K> : Value<K> | undefined
}

export const labFlagEntries = Object.entries(labFlags) as readonly (readonly [FlagName, Flag])[]

/** What `--help` says of a flag. */
export function describeFlag({ about, expected, fallback, fallbackText }: Flag): string {
  const preset = fallbackText ?? fallback
  return `${about} (${expected}${preset === undefined ? '' : `; default ${preset}`})`
}

/** Checked values of what was given, by flag. Throws MESH_CONFIG_INVALID for the first that is not allowed. */
export function readLabFlags(given: Readonly<Record<string, string | undefined>>): LabFlags {
  const read: Record<string, unknown> = {}
  for (const [name, { fallback, schema, expected }] of labFlagEntries) {
    const text = given[name] ?? fallback
    if (text === undefined) continue
    const result = schema.safeParse(text)
    if (!result.success) throw invalid(name, text, expected)
    read[name] = result.data
  }
  const flags = read as LabFlags
  contradictions(flags)
  return flags
}

/** Bridges that were not asked for are none where there is nothing to bridge. */
export function bridgesOf({ bridges, meshes }: LabFlags): number {
  return bridges ?? (meshes === 1 ? 0 : 2)
}

function contradictions(flags: LabFlags): void {
  const { nodes, meshes, query, otlp } = flags
  const bridges = bridgesOf(flags)
  if (meshes === 1 && bridges > 0) throw invalid('bridges', String(bridges), '0, or --meshes to be at least 2')
  const all = nodes * meshes + bridges
  if (all > nodesMax) throw invalid('nodes', String(nodes), `at most ${nodesMax} nodes in all, not ${all}`)
  if (query !== undefined && (otlp === undefined || otlp === 'off'))
    throw invalid('query', query, 'a receiver in --otlp beside it')
}

function url(): Check<string> {
  const schema = z.string().refine((text) => /^https?:$/.test(URL.parse(text)?.protocol ?? ''))
  return { expected: 'an http:// or https:// URL', schema }
}

function invalid(name: string, given: string, expected: string): MeshError {
  const shown = JSON.stringify(given.length > 200 ? `${given.slice(0, 200)}…` : given)
  return new MeshError('MESH_CONFIG_INVALID', { key: `--${name}`, given: shown, expected })
}
