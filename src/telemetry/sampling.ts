import { TraceFlags, trace } from '@opentelemetry/api'
import { type SpanEffect, specOf } from '../catalogue/span-effect.ts'
import { spans } from '../catalogue/spans.ts'
import type { Reporter } from './outbox.ts'
import type { Sampler } from './sdk-types.ts'

/** Which spans are exported. */
export interface Sampling {
  /** True if no span is exported at all. */
  readonly isOff: boolean
  /** Share of the traces, 0 to 1, whose routine spans are exported. */
  readonly routineShare: number
  /** For spans of other instrumentation in this process. */
  readonly foreignSampler: Sampler
}

/** The SDK's sampling decisions, copied so that the kit need not load it. */
export const recordAndSample = 2
const notRecord = 0
const prefix = 'parentbased_'
const expected = 'always_on, always_off or traceidratio, with or without the prefix parentbased_'

export interface SamplingChoice {
  /** `MESH_TRACE_ROUTINE`; it wins over the ratio of a sampler. */
  readonly routineShare?: number | undefined
  readonly env?: NodeJS.ProcessEnv
  readonly report: Reporter
}

/**
 * Reads `OTEL_TRACES_SAMPLER` and `_ARG`: https://opentelemetry.io/docs/languages/sdk-configuration/general/. As the
 * specification demands, it reports and ignores unknown values. `parentbased_` affects spans of other instrumentation
 * only: few spans of the mesh have a remote parent.
 */
export function readSampling({ routineShare, env = process.env, report }: SamplingChoice): Sampling {
  const samplerName = env['OTEL_TRACES_SAMPLER']?.trim().toLowerCase() || 'always_on'
  const parentBased = samplerName.startsWith(prefix)
  const name = parentBased ? samplerName.slice(prefix.length) : samplerName
  const ratio = readRatio(name, env, report)
  return {
    isOff: name === 'always_off',
    routineShare: routineShare ?? ratio,
    foreignSampler: createSampler(ratio, parentBased),
  }
}

function readRatio(name: string, env: NodeJS.ProcessEnv, report: Reporter): number {
  if (name === 'always_off') return 0
  if (name === 'traceidratio') return parseRatio(env['OTEL_TRACES_SAMPLER_ARG']?.trim() ?? '', report)
  if (name !== 'always_on')
    report('warn', 'unknown OTEL_TRACES_SAMPLER, every span is exported', { given: excerpt(name), expected })
  return 1
}

/** 1 for an empty or invalid text. */
function parseRatio(text: string, report: Reporter): number {
  const ratio = Number(text)
  if (text === '') return 1
  if (ratio >= 0 && ratio <= 1) return ratio
  report('warn', 'OTEL_TRACES_SAMPLER_ARG is not within 0 and 1, every span is exported', { given: excerpt(text) })
  return 1
}

function createSampler(ratio: number, parentBased: boolean): Sampler {
  return {
    shouldSample: (context, traceId) => {
      const parent = parentBased ? trace.getSpanContext(context) : undefined
      const sampled = parent === undefined ? isSampled(traceId, ratio) : (parent.traceFlags & TraceFlags.SAMPLED) !== 0
      return { decision: sampled ? recordAndSample : notRecord }
    },
    toString: () => `${parentBased ? prefix : ''}traceidratio{${ratio}}`,
  }
}

function excerpt(text: string): string {
  return text.slice(0, 64)
}

/** Routine spans recur whether anything happens or not; a sweep that expires a member is not routine. */
export function isRoutine({ span, attributes }: SpanEffect): boolean {
  const { routine } = specOf(spans, span)
  if (routine === undefined || routine === true) return routine === true
  const values = attributes as Readonly<Record<string, unknown>>
  return !routine.whenZero.some((name) => values[name])
}

/**
 * Whether the routine spans of a trace are exported: the trace id decides, so that a window is complete or absent. A
 * trace sampled at one share is sampled at every larger one. As in consistent sampling the last digits decide: 52 bits,
 * since a JavaScript number cannot hold 56.
 */
export function isSampled(traceId: string, share: number): boolean {
  return Number.parseInt(traceId.slice(-13), 16) >= (1 - share) * 2 ** 52
}
