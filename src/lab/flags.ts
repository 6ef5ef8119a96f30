import * as z from 'zod'
import { isLoopback, parseHostPort } from '../admin/host-port.ts'
import { otlpEndpointOrOff, whole } from '../kit/rules.ts'
import { type Check, count } from '../node/config-schemas.ts'
import { duration } from '../node/duration.ts'
import { type FlagTable, type FlagValues, type GivenFlags, invalidFlag, readFlags } from '../node/flag-table.ts'
import { nodesMax, seedsPerMesh } from './plan.ts'

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
    ...duration(),
  },
  seed: {
    about: 'draws which nodes are late and in which order they start',
    fallbackText: 'another each time',
    ...count(whole(0, 2 ** 32 - 1)),
  },
  otlp: {
    about: 'OTLP receiver that gets the spans in place of a store of the lab’s own',
    ...otlpEndpointOrOff(),
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
} as const satisfies FlagTable

export type LabFlags = FlagValues<typeof labFlags>

/** Checked values of what was given, by flag. Throws MESH_CONFIG_INVALID for the first that is not allowed. */
export function readLabFlags(given: GivenFlags): LabFlags {
  const flags = readFlags(labFlags, given)
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
  if (meshes === 1 && bridges > 0) throw invalidFlag('bridges', String(bridges), '0, or --meshes to be at least 2')
  const all = nodes * meshes + bridges
  if (all > nodesMax) throw invalidFlag('nodes', String(nodes), `at most ${nodesMax} nodes in all, not ${all}`)
  if (query !== undefined && (otlp === undefined || otlp === 'off'))
    throw invalidFlag('query', query, 'a receiver in --otlp beside it')
}

function url(): Check<string> {
  const schema = z
    .string()
    .refine((text) => /^https?:$/.test(URL.parse(text)?.protocol ?? ''))
    // Paths are put behind it.
    .transform((text) => text.replace(/\/+$/, ''))
  return { expected: 'an http:// or https:// URL', schema }
}
