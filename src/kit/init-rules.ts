import { multiaddr } from '@multiformats/multiaddr'
import * as z from 'zod/mini'
import { roles } from '../catalogue/roles.ts'
import { MeshError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { quote } from '../core/quote.ts'
import { describeEndpointFault } from '../telemetry/otlp-settings.ts'
import { faultNames } from './faults.ts'
import type { InternalInit, TracemeshInit } from './init.ts'
import { name, oneOf, otlpEndpointOrOff, type Rule, share, whole } from './rules.ts'

const agentLimitsMax = 32
const agentBytesMax = 64 * 1_048_576
const agentLimit = z.object({
  agent: z.string().check(z.minLength(1), z.maxLength(limits.nameLength)),
  bytes: z.int().check(z.minimum(1_024), z.maximum(agentBytesMax)),
})

/** Bounds of the options that both an application and the command line may set. */
export const initRules = {
  mesh: name(),
  bridgeTo: name(),
  name: name(),
  role: oneOf(roles),
  otlp: otlpEndpointOrOff(),
  traceRoutine: share(),
  stalenessMs: whole(1_000, 3_600_000, 'milliseconds'),
  sweepMs: whole(100, 600_000, 'milliseconds'),
  digestMs: whole(100, 600_000, 'milliseconds'),
  gossipDigestMs: whole(500, 600_000, 'milliseconds'),
  neighbours: whole(1, 64, 'links'),
  maxPeers: whole(2, 10_000, 'peers'),
  messageBytes: whole(64, limits.messageBytes, 'bytes'),
  gossipLimits: {
    expected: `at most ${agentLimitsMax} of { agent, bytes }: part of an agent version, and 1024 to ${agentBytesMax} bytes`,
    schema: z.readonly(z.array(agentLimit).check(z.maxLength(agentLimitsMax))),
  },
  faults: {
    expected: `any of ${faultNames.join(', ')}`,
    schema: z.readonly(z.array(z.enum(faultNames)).check(z.maxLength(faultNames.length))),
  },
} as const satisfies { readonly [K in keyof InternalInit]?: Rule<unknown> }

/** Other bounds for an application: it may bring its own transports, dial by itself, and count its own starts. */
const applicationRules: { readonly [K in keyof InternalInit]?: Rule<unknown> } = {
  ...initRules,
  neighbours: whole(0, 64, 'links'),
  seeds: {
    expected: `at most ${limits.seeds} multiaddrs`,
    schema: z.array(z.string().check(z.refine(isMultiaddr))).check(z.maxLength(limits.seeds)),
  },
  incarnation: whole(0, Number.MAX_SAFE_INTEGER),
  closes: oneOf(['own', 'all']),
}

/** Options that only the code of this repository has. */
const internalOptions = ['telemetry', 'clock', 'random', 'settings', 'faults'] as const satisfies (keyof InternalInit)[]

/** `validateInternalInit` for an application: throws MESH_CONFIG_INVALID for an internal option, too. */
export function validateInit(init: TracemeshInit): TracemeshInit {
  const key = internalOptions.find((name) => (init as InternalInit)[name] !== undefined)
  if (key === undefined) return validateInternalInit(init)
  throw new MeshError('MESH_CONFIG_INVALID', { key, given: 'set', expected: 'only the options of `TracemeshInit`' })
}

/**
 * The options without those that are `undefined`, which would override a default. Throws MESH_CONFIG_INVALID for the
 * first value that is not allowed.
 */
export function validateInternalInit(init: InternalInit): InternalInit {
  const entries = Object.entries(init).filter(([, value]) => value !== undefined)
  for (const [key, value] of entries) {
    const rule = applicationRules[key as keyof InternalInit]
    // The caller's telemetry has its own endpoint.
    const isUnused = key === 'otlp' && init.telemetry !== undefined
    if (rule === undefined || isUnused || rule.schema.safeParse(value).success) continue
    const fault = key === 'otlp' && typeof value === 'string' ? describeEndpointFault(value) : undefined
    throw new MeshError('MESH_CONFIG_INVALID', { key, given: fault ?? formatValue(value), expected: rule.expected })
  }
  const { role, mesh = 'mesh-a', bridgeTo } = init
  if (bridgeTo !== undefined && bridgeTo === mesh) {
    throw new MeshError('MESH_CONFIG_INVALID', {
      key: 'bridgeTo',
      given: formatValue(bridgeTo),
      expected: 'another mesh than `mesh`',
    })
  }
  if (role === 'bridge' && bridgeTo === undefined) {
    const expected = 'the second mesh, since the role is bridge'
    throw new MeshError('MESH_CONFIG_INVALID', { key: 'bridgeTo', given: 'not set', expected })
  }
  return Object.fromEntries(entries) as InternalInit
}

function isMultiaddr(text: string): boolean {
  try {
    return multiaddr(text).getComponents().length > 0
  } catch {
    return false
  }
}

/** JSON cannot represent Infinity and functions. */
function formatValue(value: unknown): string {
  if (typeof value === 'string') return quote(value)
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value))
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}
