import { backoffPolicy } from '../../core/backoff.ts'
import type { ReceivedSpan } from '../../testing/otlp/otlp-receiver.ts'
import { type EmittedSpan, SimMesh } from '../../testing/sim/sim-mesh.ts'
import { endToEnd } from '../end-to-end.ts'
import { type AnySpan, isLinkedTo, spansNamed } from '../evidence.ts'
import { atLeast, type Check, each, equals } from '../proof.ts'
import { isWait } from './mesh.ts'

const watchedMs = 360_000

/** Largest delay of a timer on a busy machine, in milliseconds. */
const lateMs = 1_000
/** Attempts of a node without any link, from start to start. */
const alone = { everyMs: backoffPolicy.aloneMs, offMs: 1_500 } as const

const attemptNames = ['mesh.seed.retry', 'mesh.seed.giveup', 'mesh.seed.connected']

/** Simulated QUIC gives up a port without a listener after its idle timeout, in milliseconds. */
const attemptMs = 10_000

export const proof = endToEnd({
  name: 'seed-never-virtual',
  about:
    'simulated: a seed that never answers costs nine retries with growing waits, one give-up, then one attempt each 30 s',
  quick: true,
  virtual: true,
  seconds: 1,
  async run({ seed, progress }) {
    progress(`one node, ${watchedMs / 1_000} s of virtual time`)
    const spans = await simulateNoAnswer(seed, watchedMs)
    return { figures: noAnswerFigures(spans), checks: noAnswerChecks(spans) }
  },
})

/** A span of a seed campaign, from the simulator or the receiver. Milliseconds on one clock. */
export type SeedSpan = AnySpan & Pick<ReceivedSpan, 'endMs'>

export function isSeedSpan({ name }: { readonly name: string }): boolean {
  return name.startsWith('mesh.seed.')
}

/** Ended attempts, in order. */
export function attemptsOf(spans: readonly SeedSpan[]): SeedSpan[] {
  return spans.filter(({ name }) => attemptNames.includes(name)).sort((a, b) => a.startMs - b.startMs)
}

/** Checks the spans of a node whose only seed never answers. */
export function noAnswerChecks(spans: readonly SeedSpan[]): Check[] {
  const attempts = attemptsOf(spans)
  const [first] = spansNamed(spans, 'mesh.seed.dial')
  const campaign = attempts.filter(({ traceId }) => traceId === first?.traceId)
  const later = attempts.slice(campaign.length)
  const giveups = spansNamed(campaign, 'mesh.seed.giveup')
  return [
    ...waitChecks(campaign),
    equals('give-ups of the first campaign', 1, giveups.length),
    equals('attempt of the give-up', backoffPolicy.attempts, Number(giveups[0]?.attributes['mesh.seed.attempt'])),
    atLeast('attempts after the give-up', 3, later.length),
    each('from attempt to attempt after the give-up', `${alone.everyMs} ± ${alone.offMs} ms`, gaps(later), (ms) => {
      return Math.abs(ms - alone.everyMs) <= alone.offMs
    }),
    ...traceChecks(spans, later),
  ]
}

function waitChecks(campaign: readonly SeedSpan[]): Check[] {
  const retries = spansNamed(campaign, 'mesh.seed.retry')
  const waits = retries.map((retry, i) => ({
    n: i + 1,
    emittedMs: Number(retry.attributes['mesh.seed.delay_ms']),
    measuredMs: Math.round((campaign[i + 1]?.startMs ?? Number.NaN) - retry.endMs),
  }))
  return [
    equals('retries of the first campaign', backoffPolicy.attempts - 1, retries.length),
    each('wait n as emitted', 'in [w/2, w]', waits, ({ n, emittedMs }) => isWait(n, emittedMs, 0)),
    each('wait n as measured', `in [w/2, w + ${lateMs} ms]`, waits, ({ n, measuredMs }) =>
      isWait(n, measuredMs, 1, lateMs),
    ),
  ]
}

function traceChecks(spans: readonly SeedSpan[], later: readonly SeedSpan[]): Check[] {
  const roots = spansNamed(spans, 'mesh.seed.dial')
  const [first, second] = roots
  const others = spans.filter(({ name }) => name !== 'mesh.seed.dial')
  const apart = second !== undefined && second.traceId !== first?.traceId
  const rearmed = others.find(({ name, traceId }) => name === 'mesh.seed.rearmed' && traceId === second?.traceId)
  const linked = first !== undefined && rearmed !== undefined && isLinkedTo(rearmed, first.traceId)
  const stray = later.filter(({ traceId }) => traceId !== second?.traceId)
  return [
    each('every span of a campaign is a child of its mesh.seed.dial', 'all', others, (span) =>
      roots.some(({ traceId, spanId }) => traceId === span.traceId && spanId === span.parentSpanId),
    ),
    equals('attempts after the give-up outside the second campaign', 0, stray.length),
    equals('the second campaign is a trace of its own, linked to the first', true, apart && linked),
  ]
}

/** Figures for people, in seconds. */
export function noAnswerFigures(spans: readonly SeedSpan[]): Record<string, unknown> {
  const attempts = attemptsOf(spans)
  const retries = spansNamed(attempts, 'mesh.seed.retry')
  const seconds = (ms: number) => Math.round(ms) / 1_000
  const failures = attempts.map(({ attributes }) => `${attributes['mesh.dial.stage']} ${attributes['error.type']}`)
  return {
    'waits emitted, s': retries.map(({ attributes }) => seconds(Number(attributes['mesh.seed.delay_ms']))),
    'from attempt to attempt, s': gaps(attempts).map(seconds),
    'length of attempts, s': attempts.map(({ startMs, endMs }) => seconds(endMs - startMs)),
    'failed at': [...new Set(failures)],
  }
}

function gaps(attempts: readonly SeedSpan[]): number[] {
  return attempts.slice(1).map(({ startMs }, i) => startMs - (attempts[i]?.startMs ?? Number.NaN))
}

/** Seed spans of one simulated node within `watchedMs` of virtual time; its only seed never answers. */
export async function simulateNoAnswer(seed: number, watchedMs: number): Promise<SeedSpan[]> {
  const mesh = new SimMesh({ seed, names: ['seed', 'node'] })
  try {
    await mesh.start('node', { seeds: [mesh.addressOf('seed')] })
    mesh.run(watchedMs)
    return mesh.spans.map(asSpan).filter(isSeedSpan)
  } finally {
    mesh.close()
  }
}

/** The simulator records when a span was emitted, not when it began. */
function asSpan({ node, span, at, ref, parent, links, attributes }: EmittedSpan): SeedSpan {
  const { traceId = '', spanId = '' } = ref ?? {}
  const durationMs = span === 'mesh.seed.retry' || span === 'mesh.seed.giveup' ? attemptMs : 0
  return {
    name: span,
    traceId: parent?.traceId ?? traceId,
    spanId,
    parentSpanId: parent?.spanId ?? '',
    links,
    startMs: at - durationMs,
    endMs: at,
    attributes,
    resource: { 'mesh.node.name': node },
  }
}
