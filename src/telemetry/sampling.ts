import { TraceFlags, trace } from '@opentelemetry/api'
import { type SpanEffect, specOf } from '../catalogue/span-effect.ts'
import { spans } from '../catalogue/spans.ts'
import type { Report } from './outbox.ts'
import type { Sampler } from './sdk-types.ts'

/** Which spans leave the node. */
export interface Sampling {
  /** No span leaves, whatever it tells. */
  readonly off: boolean
  /** Share of the traces, 0 to 1, whose routine spans leave. */
  readonly routineShare: number
  /** For spans of other instrumentation in this process. */
  readonly others: Sampler
}

/** Decisions as the SDK numbers them; the kit loads none of it for that. */
export const recordAndSample = 2
const notRecord = 0
const prefix = 'parentbased_'
const expected = 'always_on, always_off, traceidratio, or one of these after parentbased_'

export interface SamplingChoice {
  /** `MESH_TRACE_ROUTINE`; it wins over the ratio of a sampler. */
  readonly routineShare?: number | undefined
  readonly env?: NodeJS.ProcessEnv
  readonly report: Report
}

/**
 * Reads `OTEL_TRACES_SAMPLER` and `_ARG`: https://opentelemetry.io/docs/languages/sdk-configuration/general/. As the
 * specification demands, a value that is not known is reported and ignored. `parentbased_` makes a difference for spans
 * of other instrumentation alone: those of the mesh that have a parent elsewhere are rare.
 */
export function samplingOf({ routineShare, env = process.env, report }: SamplingChoice): Sampling {
  const given = env['OTEL_TRACES_SAMPLER']?.trim().toLowerCase() || 'always_on'
  const parentBased = given.startsWith(prefix)
  const name = parentBased ? given.slice(prefix.length) : given
  const ratio = ratioOf(name, env, report)
  return {
    off: name === 'always_off',
    routineShare: routineShare ?? ratio,
    others: samplerOf(ratio, parentBased),
  }
}

function ratioOf(name: string, env: NodeJS.ProcessEnv, report: Report): number {
  if (name === 'always_off') return 0
  if (name === 'traceidratio') return argument(env['OTEL_TRACES_SAMPLER_ARG']?.trim() ?? '', report)
  if (name !== 'always_on')
    report('warn', 'unknown OTEL_TRACES_SAMPLER, every span is exported', { given: short(name), expected })
  return 1
}

/** 1 where nothing, or no share, is given. */
function argument(given: string, report: Report): number {
  const ratio = Number(given)
  if (given === '') return 1
  if (ratio >= 0 && ratio <= 1) return ratio
  report('warn', 'OTEL_TRACES_SAMPLER_ARG is no number from 0 to 1, every span is exported', { given: short(given) })
  return 1
}

function samplerOf(ratio: number, parentBased: boolean): Sampler {
  return {
    shouldSample: (context, traceId) => {
      const parent = parentBased ? trace.getSpanContext(context) : undefined
      const sampled = parent === undefined ? isSampled(traceId, ratio) : (parent.traceFlags & TraceFlags.SAMPLED) !== 0
      return { decision: sampled ? recordAndSample : notRecord }
    },
    toString: () => `${parentBased ? prefix : ''}traceidratio{${ratio}}`,
  }
}

function short(text: string): string {
  return text.slice(0, 64)
}

/** Emitted whether anything happens or not; a sweep that finds somebody is no routine. */
export function isRoutine({ span, attributes }: SpanEffect): boolean {
  const { routine } = specOf(spans, span)
  if (routine === undefined || routine === true) return routine === true
  return !(attributes as Readonly<Record<string, unknown>>)[routine.whenZero]
}

/**
 * Whether the routine spans of a trace leave: by its id, so that a minute leaves whole or not at all, whoever asks. What
 * leaves at a share leaves at every larger one, too. As consistent sampling has it, the last digits decide: 52 bits, since
 * a number holds no 56.
 */
export function isSampled(traceId: string, share: number): boolean {
  return Number.parseInt(traceId.slice(-13), 16) >= (1 - share) * 2 ** 52
}
