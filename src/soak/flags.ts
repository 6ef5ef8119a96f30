import * as z from 'zod'
import { topic as topicRule, whole } from '../kit/rules.ts'
import { seedsPerMesh } from '../lab/plan.ts'
import { type Check, count, duration, httpUrl, isAddress } from '../node/config-schemas.ts'
import { type FlagTable, type FlagValues, invalidFlag, type RawFlags, readFlags } from '../node/flag-table.ts'

/** Every flag of `tracemesh soak` that takes a value. */
export const soakFlags = {
  for: { description: 'length of the churn between the two readings', defaultValue: '30m', ...duration() },
  churn: { description: 'lives that begin: each joins, talks and leaves', defaultValue: '2/s', ...lifeRate() },
  'warm-up': {
    description: 'length of the churn before the first reading',
    defaultText: 'a third of --for, from 30s to 2m',
    ...duration(),
  },
  settle: {
    description: 'rest before each reading, in which what expires by design does',
    defaultText: 'a third of --for, from 50s to 200s',
    ...duration(),
  },
  within: {
    description: 'bytes of memory per life: a pass excludes a leak of more',
    defaultValue: '32768',
    ...count(whole(16, 1_073_741_824, 'bytes')),
  },
  nodes: {
    description: 'nodes of the lab that it starts',
    defaultValue: '4',
    ...count(whole(seedsPerMesh + 1, 32, 'nodes')),
  },
  against: {
    description: 'a running mesh in place of a lab: the page of a lab, or with --seed the trace store of the mesh',
    ...httpUrl(),
  },
  seed: {
    description: 'addresses of nodes of that mesh, at which lives join, separated by commas',
    ...addressList(),
  },
  mesh: {
    description: 'mesh id of --against',
    defaultText: 'the first mesh of the lab; mesh-a',
    expected: 'a mesh id',
    schema: z.string().regex(/^[\w.-]{1,64}$/),
  },
  topic: {
    description: 'topic on which lives talk, to which nodes of --against subscribe',
    defaultText: 'the topic of the lab; with --seed one of their own',
    expected: topicRule().expected,
    schema: topicRule().schema,
  },
  otlp: {
    description: 'OTLP receiver of the verdict, and with --query of the lab’s spans',
    defaultText: 'the lab’s own store',
    ...httpUrl(),
  },
  query: { description: 'URL of /api/v3 of that receiver', ...httpUrl() },
  report: {
    description: 'directory for report.md and report.json',
    expected: 'the path of a directory',
    schema: z
      .string()
      .min(1)
      .max(4_000)
      .regex(/^[^\0]*$/),
  },
} as const satisfies FlagTable

/** What to do, with every default resolved. Times in milliseconds. */
export interface SoakOptions {
  readonly forMs: number
  /** Lives per second. */
  readonly rate: number
  readonly warmUpMs: number
  readonly settleMs: number
  /** Bytes per life. */
  readonly within: number
  readonly nodes: number
  readonly against: string | undefined
  readonly seeds: readonly string[] | undefined
  readonly mesh: string | undefined
  readonly topic: string | undefined
  readonly otlp: string | undefined
  readonly query: string | undefined
  readonly report: string | undefined
}

const warmUpMs = { least: 30_000, most: 120_000 }
/** A census is every 30 s and exported within 20 s; a record of a peer stays in tables for 180 s at most. */
const settleMs = { least: 50_000, most: 200_000 }

/** Parses the flags. Throws MESH_CONFIG_INVALID for the first invalid one. */
export function readSoakFlags(raw: RawFlags): SoakOptions {
  const flags = readFlags(soakFlags, raw)
  checkConflicts(flags)
  const third = flags.for / 3
  return {
    forMs: flags.for,
    rate: flags.churn,
    warmUpMs: flags['warm-up'] ?? clamp(third, warmUpMs),
    settleMs: flags.settle ?? clamp(third, settleMs),
    within: flags.within,
    nodes: flags.nodes,
    against: flags.against,
    seeds: flags.seed,
    mesh: flags.mesh,
    topic: flags.topic,
    otlp: flags.otlp,
    query: flags.query,
    report: flags.report,
  }
}

/** Duration of a whole soak, beside the start and the stop of a lab. */
export function soakMs({ warmUpMs, settleMs, forMs }: SoakOptions): number {
  return warmUpMs + forMs + 2 * settleMs
}

function checkConflicts({ against, seed, mesh, topic, query, otlp }: FlagValues<typeof soakFlags>): void {
  const needsAgainst = Object.entries({ seed, mesh, topic }).find(([, value]) => value !== undefined)
  if (against === undefined && needsAgainst !== undefined)
    throw invalidFlag(needsAgainst[0], String(needsAgainst[1]), 'to be set together with --against')
  if (against !== undefined && query !== undefined) throw invalidFlag('query', query, 'absent with --against')
  if (against === undefined && (query === undefined) !== (otlp === undefined))
    throw invalidFlag(query === undefined ? 'otlp' : 'query', otlp ?? query ?? '', '--otlp and --query together')
}

function clamp(value: number, { least, most }: { readonly least: number; readonly most: number }): number {
  return Math.round(Math.min(most, Math.max(least, value)))
}

const units: Readonly<Record<string, number>> = { s: 1, min: 60, h: 3_600 }
/** Fewer lives than one in two hours, and more than any machine does, are mistakes. */
const rates = { least: 1 / 7_200, most: 200 }

/** `2/s`, `30/min` or `100/h`; its value is in lives per second. */
function lifeRate(): Check<number> {
  const parse = (text: string) => {
    const [, amount, unit = ''] = /^(\d{1,6}(?:\.\d{1,3})?)\/(s|min|h)$/.exec(text) ?? []
    const rate = Number(amount) / (units[unit] ?? Number.NaN)
    return rate >= rates.least && rate <= rates.most ? rate : undefined
  }
  return {
    expected: 'a rate such as 2/s, 30/min or 100/h, at most 200/s',
    schema: z.string().transform(parse).pipe(z.number()),
  }
}

function addressList(): Check<readonly string[]> {
  const schema = z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.string().refine((one) => isAddress(one, 'dial'))).max(16))
  return { expected: 'multiaddrs with /udp/<port>/quic-v1 or /tcp/<port>, separated by commas', schema }
}
