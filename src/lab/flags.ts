import * as z from 'zod'
import { parseHostPort } from '../admin/host-port.ts'
import { isLoopback } from '../core/address.ts'
import { faultNames } from '../kit/faults.ts'
import { otlpEndpointOrOff, whole } from '../kit/rules.ts'
import { type Check, count, duration, httpUrl } from '../node/config-schemas.ts'
import { type FlagTable, type FlagValues, invalidFlag, type RawFlags, readFlags } from '../node/flag-table.ts'
import type { NodeFaults } from './node-options.ts'
import { maxNodes, seedsPerMesh } from './plan.ts'

/** Every flag of `tracemesh lab` that takes a value. */
export const labFlags = {
  nodes: {
    description: 'nodes of each mesh, without bridges',
    defaultValue: '8',
    ...count(whole(seedsPerMesh + 1, maxNodes, 'nodes')),
  },
  meshes: { description: 'meshes', defaultValue: '2', ...count(whole(1, 8, 'meshes')) },
  bridges: {
    description: 'nodes that are members of two meshes',
    defaultText: '2, or 0 for a single mesh',
    ...count(whole(0, 16, 'bridges')),
  },
  for: {
    description: 'time after which the lab ends by itself',
    defaultText: 'until q or a signal',
    ...duration(),
  },
  seed: {
    description: 'random seed: which nodes start late, and the start order',
    defaultText: 'random',
    ...count(whole(0, 2 ** 32 - 1)),
  },
  otlp: {
    description: 'external OTLP receiver in place of the lab’s own store',
    ...otlpEndpointOrOff(),
  },
  query: { description: 'URL of /api/v3 of that receiver', ...httpUrl() },
  'jaeger-ui': { description: 'URL of the Jaeger UI for links', ...httpUrl() },
  page: {
    description: 'listen address of the page; the next free port when it is in use',
    defaultValue: '127.0.0.1:16700',
    expected: 'host:port with a loopback host (port 0 picks a free one), or off',
    schema: z.string().refine((text) => text === 'off' || isLoopback(parseHostPort(text)?.host ?? '')),
  },
  identities: {
    description: 'directory of key files, so that the next lab has the same nodes',
    expected: 'the path of a directory',
    schema: z
      .string()
      .min(1)
      .max(4_000)
      .regex(/^[^\0]*$/),
  },
  fault: {
    description: 'faults that nodes inject on purpose, to see what traces and alerts make of them',
    defaultText: 'none',
    ...nodeFaults(),
  },
} as const satisfies FlagTable

export type LabFlags = FlagValues<typeof labFlags>

/** Parses the flags. Throws MESH_CONFIG_INVALID for the first invalid one. */
export function readLabFlags(raw: RawFlags): LabFlags {
  const flags = readFlags(labFlags, raw)
  checkConflicts(flags)
  return flags
}

/** `a-compute-1=grow-registry,a-seed-1=hold-sweep`: a fault by the name of its node. */
function nodeFaults(): Check<readonly NodeFaults[]> {
  const one = z
    .string()
    .regex(/^[\w-]+=[\w-]+$/)
    .transform((text) => ({ node: text.split('=')[0] ?? '', faults: [text.split('=')[1] ?? ''] }))
    .pipe(z.object({ node: z.string(), faults: z.array(z.enum(faultNames)) }))
  const schema = z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(one))
  return { expected: `node=fault, separated by commas; faults are ${faultNames.join(' ')}`, schema }
}

/** By default 2 bridges, or none for a single mesh. */
export function bridgesOf({ bridges, meshes }: LabFlags): number {
  return bridges ?? (meshes === 1 ? 0 : 2)
}

function checkConflicts(flags: LabFlags): void {
  const { nodes, meshes, query, otlp } = flags
  const bridges = bridgesOf(flags)
  if (meshes === 1 && bridges > 0) throw invalidFlag('bridges', String(bridges), '0, or --meshes to be at least 2')
  const all = nodes * meshes + bridges
  if (all > maxNodes) throw invalidFlag('nodes', String(nodes), `at most ${maxNodes} nodes in all, not ${all}`)
  if (query !== undefined && (otlp === undefined || otlp === 'off'))
    throw invalidFlag('query', query, 'to be set together with --otlp')
}
