import * as z from 'zod'
import { parseHostPort } from '../../admin/host-port.ts'
import { MeshError } from '../../core/errors.ts'
import type { Period } from '../../doctor/sources/source.ts'
import { type Check, duration, httpUrl, parseDuration } from '../../node/config-schemas.ts'
import { type FlagTable, type FlagValues, invalidFlag, type RawFlags, readFlags } from '../../node/flag-table.ts'
import { describeEndpointFault, otlpEndpointExpected } from '../../telemetry/otlp-settings.ts'

/** A period of time, milliseconds since 1970. */
const timeExpected = 'a time such as 2026-11-30T14:05 or 14:05, now, or 90m for 90 minutes ago'

/** Every flag of `tracemesh doctor` that takes one value. */
export const doctorFlags = {
  url: {
    description: 'trace store with /api/v3: Jaeger, tracemesh store, or the page of a lab',
    defaultText: 'http://127.0.0.1:16686, or else the page of a lab, http://127.0.0.1:16700',
    ...httpUrl(),
  },
  mesh: { description: 'mesh id; all meshes otherwise', ...name() },
  node: { description: 'only findings of this node', ...name() },
  from: { description: 'begin of the period', defaultText: '--for before its end', ...time() },
  to: { description: 'end of the period', defaultText: 'now; of files their end', ...time() },
  for: {
    description: 'length of the period; of files with --from or --to',
    defaultText: '15m; of files all',
    ...duration(),
  },
  before: { description: 'an earlier period to compare with, such as that before a deployment', ...times() },
  every: { description: 'time between two diagnoses with --watch', defaultValue: '60s', ...duration() },
  ui: {
    description: 'URL of Jaeger’s page, or of the page of a lab, for links',
    defaultText: 'the trace store, if it has a page',
    ...httpUrl(),
  },
  probe: {
    description: 'profiles (--pprof) of a node, which is asked what grows in its heap',
    ...nodeAddress(),
  },
  'probe-for': { description: 'for so long, from 2 to 60 s', defaultValue: '30s', ...probeTime() },
  'token-file': {
    description: 'file with the token of that node',
    defaultText: 'the token in MESH_ADMIN_TOKEN, if it is set',
    ...name(),
  },
  emit: { description: 'OTLP receiver for the diagnosis as spans', ...otlpUrl() },
} as const satisfies FlagTable

export interface DoctorFlags extends FlagValues<typeof doctorFlags> {
  readonly files: readonly string[]
  readonly json: boolean
  readonly watch: boolean
  /** Whether a probe counts objects, too. */
  readonly probeCounts: boolean
}

/** Flags without a value, and the files. */
type OtherFlags = Pick<DoctorFlags, 'files' | 'json' | 'watch'> & Partial<Pick<DoctorFlags, 'probeCounts'>>

/** Parses and checks the flags. Throws MESH_CONFIG_INVALID for the first invalid one. */
export function readDoctorFlags(raw: RawFlags, rest: OtherFlags): DoctorFlags {
  const flags = { ...readFlags(doctorFlags, raw), probeCounts: false, ...rest }
  const { files, watch, url, from, to, before, for: length } = flags
  rejectIdleFlags(raw, flags)
  if (files.length > 0 && url !== undefined) throw invalidFlag('url', url, 'either --url or --file')
  if (files.length > 0 && watch) throw wrongPair('watch', 'with --file', 'a trace store: files are read once')
  if (files.length > 0 && length !== undefined && from === undefined && to === undefined)
    throw wrongPair('for', 'without --from or --to', 'one of them: where files end is not known before they are read')
  if (watch && to !== undefined) throw invalidFlag('to', String(raw['to']), 'no end of the period with --watch')
  if (from !== undefined && to !== undefined && length !== undefined)
    throw invalidFlag('for', String(raw['for']), 'only one or two of --from, --to and --for')
  if (from !== undefined && to !== undefined && from >= to)
    throw invalidFlag('to', String(raw['to']), 'a time after --from')
  if (watch && before !== undefined) throw invalidFlag('before', String(raw['before']), 'no comparison with --watch')
  if (watch && flags.probe !== undefined) throw invalidFlag('probe', flags.probe, 'one probe, without --watch')
  const isEarlier =
    before === undefined || (from === undefined ? before.toMs < (to ?? Number.POSITIVE_INFINITY) : before.toMs <= from)
  if (!isEarlier) throw invalidFlag('before', String(raw['before']), 'a period that ends before the other one begins')
  return flags
}

/** A flag that changes nothing without another one is a mistake. */
function rejectIdleFlags(raw: RawFlags, { watch, probe, probeCounts }: DoctorFlags): void {
  const isGiven = (name: keyof typeof doctorFlags) => raw[name] !== undefined
  const needsProbe = [
    ...(['probe-for', 'token-file'] as const).filter(isGiven),
    ...(probeCounts ? ['probe-counts'] : []),
  ]
  const [idle] = probe === undefined ? needsProbe : []
  if (idle !== undefined) throw wrongPair(idle, 'without --probe', 'both or neither')
  if (isGiven('every') && !watch) throw wrongPair('every', 'without --watch', 'both or neither')
}

/** An error about a flag beside, or without, another one. */
function wrongPair(name: string, given: string, expected: string): MeshError {
  return new MeshError('MESH_CONFIG_INVALID', { key: `--${name}`, given, expected })
}

/** Clocks of nodes may be ahead of this one by so much. */
const aheadMs = 60_000
const defaultLengthMs = 15 * 60_000

/** The period of a trace store. */
export function storePeriod({ from, to, for: length }: DoctorFlags, nowMs: number): Period {
  if (from === undefined) {
    const toMs = to ?? nowMs + aheadMs
    return { fromMs: (to ?? nowMs) - (length ?? defaultLengthMs), toMs }
  }
  return { fromMs: from, toMs: to ?? (length === undefined ? nowMs + aheadMs : from + length) }
}

/** The period of files: everything in them by default. */
export function filePeriod({ from, to, for: length }: DoctorFlags): Period {
  const begin = from ?? (to !== undefined && length !== undefined ? to - length : Number.NEGATIVE_INFINITY)
  const end = to ?? (from !== undefined && length !== undefined ? from + length : Number.POSITIVE_INFINITY)
  return { fromMs: begin, toMs: end }
}

/** The period to diagnose: of two that are compared the later one, so it begins where the earlier one ends. */
export function laterPeriod(flags: DoctorFlags, nowMs: number): Period {
  const { fromMs, toMs } = flags.files.length > 0 ? filePeriod(flags) : storePeriod(flags, nowMs)
  if (flags.before === undefined || flags.from !== undefined) return { fromMs, toMs }
  return { fromMs: Math.max(fromMs, flags.before.toMs), toMs }
}

const date = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d)?)?$/
const clock = /^\d\d:\d\d(?::\d\d)?$/

/** `2026-11-30T14:05`, `14:05` of the last 24 hours, or `90m` ago; local time unless it has a zone. */
export function parseTime(text: string, nowMs: number): number | undefined {
  const ago = parseDuration(text)
  if (ago !== undefined) return nowMs - ago
  if (text === 'now') return nowMs
  if (clock.test(text)) {
    const [hours = 0, minutes = 0, seconds = 0] = text.split(':').map(Number)
    if (hours > 23 || minutes > 59 || seconds > 59) return undefined
    const today = new Date(nowMs).setHours(hours, minutes, seconds, 0)
    return today <= nowMs ? today : new Date(today).setDate(new Date(today).getDate() - 1)
  }
  if (!date.test(text)) return undefined
  const ms = Date.parse(text.length === 10 ? `${text}T00:00` : text.replace(' ', 'T'))
  return Number.isNaN(ms) ? undefined : ms
}

function time(): Check<number> {
  const schema = z
    .string()
    .transform((text) => parseTime(text, Date.now()))
    .pipe(z.number())
  return { expected: timeExpected, schema }
}

function times(): Check<Period> {
  const schema = z
    .string()
    .transform((text) => {
      const [from = '', to = '', ...rest] = text.split('..')
      const [fromMs, toMs] = [parseTime(from, Date.now()), parseTime(to, Date.now())]
      return rest.length > 0 || fromMs === undefined || toMs === undefined || fromMs >= toMs
        ? undefined
        : { fromMs, toMs }
    })
    .pipe(z.object({ fromMs: z.number(), toMs: z.number() }))
  return { expected: 'FROM..TO, two times such as 14:05..14:20 or 2h..1h', schema }
}

function name(): Check<string> {
  return { expected: 'a name', schema: z.string().min(1).max(256) }
}

/** `host:port` or a URL, without slashes at the end. */
function nodeAddress(): Check<string> {
  const { schema: url } = httpUrl()
  const schema = z
    .string()
    .transform((text) => (parseHostPort(text) === undefined ? text : `http://${text}`))
    .refine((text) => url.safeParse(text).success)
    .transform((text) => text.replace(/\/+$/, ''))
  return { expected: 'host:port such as 127.0.0.1:6060, or an http:// or https:// URL', schema }
}

/** Seconds. */
function probeTime(): Check<number> {
  const schema = z
    .string()
    .transform((text) => (parseDuration(text) ?? Number.NaN) / 1_000)
    .pipe(z.number().int().min(2).max(60))
  return { expected: 'whole seconds such as 30s', schema }
}

function otlpUrl(): Check<string> {
  const schema = z.string().refine((text) => describeEndpointFault(text) === undefined)
  return { expected: otlpEndpointExpected, schema }
}
