import type { TraceSpan } from '../../traces/trace.ts'
import type { Instance } from '../evidence/instance.ts'

/** A failed attempt to reach a seed. */
export interface SeedFailure {
  /** When its campaign began. */
  readonly campaignMs: number
  readonly startMs: number
  readonly endMs: number
  /** Until when the node waits, and so does not reach the seed. */
  readonly waitsUntilMs: number
  /** Number within its campaign. */
  readonly attempt: number
  readonly stage: string
  readonly errorType: string
  readonly span: TraceSpan
}

/** A seed in the last census that has it. */
export interface SeedLine {
  readonly atMs: number
  readonly state: string
  readonly campaign: number
  readonly attempt: number
  /** Undefined if no attempt is due. */
  readonly nextMs: number | undefined
}

/** What one process did about one of its seeds. */
export interface SeedHistory {
  readonly instance: Instance
  readonly address: string
  /** `mesh.seed.dial`, by start. */
  readonly campaigns: readonly TraceSpan[]
  readonly failures: readonly SeedFailure[]
  /** Failures since the seed was last reached. */
  readonly unresolved: readonly SeedFailure[]
  /** When the node last reached the seed, or knew that it needs no dial; undefined if it never did. */
  readonly reachedMs: number | undefined
  /** The same by spans alone, without what the last census says. */
  readonly lastReachedMs: number | undefined
  readonly line: SeedLine | undefined
}

/** Attempts that meet another identity: a single one may be an address that has just changed hands. */
const leastWrong = 2
/** States in which a seed needs no further attempt, or is reached. */
const reachedStates = ['connected', 'linked-elsewhere', 'self']
const ends = ['mesh.seed.connected', 'mesh.path.blocked', 'mesh.seed.self'] as const

/** Whether the last failures of this seed are of its identity; other rules then leave it alone. */
export function hasWrongIdentity({ unresolved }: SeedHistory): boolean {
  const wrong = unresolved.filter(({ errorType }) => errorType === 'UnexpectedPeer')
  return wrong.length >= leastWrong && unresolved.at(-1) === wrong.at(-1)
}

/** One per seed of which the process says anything. */
export function seedHistories(instance: Instance): SeedHistory[] {
  const lines = linesOf(instance)
  const campaigns = instance.spans('mesh.seed.dial')
  const failed = [...instance.spans('mesh.seed.retry'), ...instance.spans('mesh.seed.giveup')]
  const reached = ends.flatMap((name) => instance.spans(name))
  const addresses = new Set([...campaigns, ...failed, ...reached].flatMap((span) => addressOf(span) ?? []))
  for (const address of lines.keys()) addresses.add(address)
  return [...addresses].map((address) => {
    const isOf = (span: TraceSpan) => addressOf(span) === address
    const failures = failed.filter(isOf).map(failureOf)
    return historyOf(instance, address, {
      campaigns: campaigns.filter(isOf),
      failures: failures.sort((a, b) => a.endMs - b.endMs),
      reached: reached.filter(isOf),
      line: lines.get(address),
    })
  })
}

interface Parts extends Pick<SeedHistory, 'campaigns' | 'failures' | 'line'> {
  readonly reached: readonly TraceSpan[]
}

function historyOf(instance: Instance, address: string, { campaigns, failures, reached, line }: Parts): SeedHistory {
  const times = reached.map(({ startMs, durationMs }) => startMs + durationMs)
  const lastReachedMs = times.length === 0 ? undefined : Math.max(...times)
  // The span of the success may be lost; the census has the state.
  const isReached = line !== undefined && reachedStates.includes(line.state)
  const reachedMs = isReached ? Math.max(line.atMs, lastReachedMs ?? line.atMs) : lastReachedMs
  const unresolved = failures.filter(({ endMs }) => reachedMs === undefined || endMs > reachedMs)
  return { instance, address, campaigns, failures, unresolved, reachedMs, lastReachedMs, line }
}

function addressOf({ attributes }: TraceSpan): string | undefined {
  const { 'mesh.seed.address': address } = attributes
  return typeof address === 'string' ? address : undefined
}

function failureOf(span: TraceSpan): SeedFailure {
  const { startMs, durationMs, attributes } = span
  const endMs = startMs + durationMs
  return {
    campaignMs: Math.min(startMs, endMs - Number(attributes['mesh.seed.elapsed_ms'] ?? durationMs)),
    startMs,
    endMs,
    waitsUntilMs: endMs + Number(attributes['mesh.seed.delay_ms'] ?? 0),
    attempt: Number(attributes['mesh.seed.attempt'] ?? 0),
    stage: String(attributes['mesh.dial.stage'] ?? ''),
    errorType: String(attributes['error.type'] ?? ''),
    span,
  }
}

/** `address state campaign attempt/attempts next_ms`, by address. */
function linesOf(instance: Instance): ReadonlyMap<string, SeedLine> {
  const lines = new Map<string, SeedLine>()
  const listed = instance.text('mesh.audit.seeds')
  const atMs = instance.censuses.at(-1)?.atMs
  if (!Array.isArray(listed) || atMs === undefined) return lines
  for (const line of listed) {
    const [address = '', state = '', campaign, attempts = '', next] = String(line).split(' ')
    const nextMs = Number(next)
    lines.set(address, {
      atMs,
      state,
      campaign: Number(campaign),
      attempt: Number(attempts.split('/')[0]),
      nextMs: Number.isFinite(nextMs) ? nextMs : undefined,
    })
  }
  return lines
}
