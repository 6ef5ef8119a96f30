import type { RankedFinding } from '../doctor/diagnose.ts'
import { printable } from '../doctor/report/printable.ts'
import type { CountRow } from './counts.ts'
import { type SoakOptions, soakMs } from './flags.ts'
import type { MemoryBound } from './memory-bounds.ts'
import type { SoakTarget } from './target.ts'
import { type Judgement, leastCountedPart, type SoakBasis, type Verdict } from './verdict.ts'

/** What a soak ended in; with `--json` one line of JSON. */
export interface SoakReport {
  readonly soak: string
  readonly mesh: string
  readonly startedMs: number
  readonly seconds: number
  readonly verdict: Verdict
  readonly reasons: readonly string[]
  readonly remarks: readonly string[]
  readonly options: SoakOptions
  readonly churn: {
    /** Lives per second. */
    readonly asked: number
    readonly achieved: number
    /** Between the readings. */
    readonly lives: number
    readonly failed: number
    readonly failures: readonly string[]
  }
  readonly memory: readonly MemoryBound[]
  /** What every so-manieth life leaves behind would have been seen: as a part of the lives; null without lives. */
  readonly countedPart: number | null
  readonly counts: readonly CountRow[]
  readonly leaks: readonly RankedFinding[]
  /** Other things that the doctor found. */
  readonly others: readonly RankedFinding[]
  readonly spans: number
}

interface ReportInput {
  readonly target: SoakTarget
  readonly options: SoakOptions
  readonly startedMs: number
  readonly churnMs: number
  readonly basis: SoakBasis
  readonly judgement: Judgement
  readonly failures: readonly string[]
  readonly spans: number
}

/** Below this part of what was asked for the rate is worth a remark. */
const nearlyAll = 0.9

export function makeReport(input: ReportInput): SoakReport {
  const { target, options, startedMs, churnMs, basis, judgement, failures, spans } = input
  const { lives, failed, memory, counts, diagnosis } = basis
  const { verdict, reasons, leaks } = judgement
  const achieved = churnMs > 0 ? round((1_000 * lives) / churnMs) : 0
  return printable({
    soak: target.what,
    mesh: target.mesh,
    startedMs,
    seconds: Math.round((Date.now() - startedMs) / 1_000),
    verdict,
    reasons,
    remarks: remarksOf(options, basis, achieved),
    options,
    churn: { asked: options.rate, achieved, lives, failed, failures },
    memory,
    countedPart: leastCountedPart(lives),
    counts,
    leaks,
    others: diagnosis.findings.filter((finding) => !leaks.includes(finding)),
    spans,
  })
}

function remarksOf(options: SoakOptions, { lives, failed }: SoakBasis, achieved: number): string[] {
  const slow =
    lives > 0 && achieved < nearlyAll * options.rate
      ? [`the machine achieved ${achieved} lives per second of the ${round(options.rate)} asked for`]
      : []
  return [...slow, ...(failed > 0 ? [`${failed} of ${lives} lives failed`] : [])]
}

/** The length of a soak and its parts, before it runs. */
export function planText(options: SoakOptions): string {
  const minutes = Math.ceil(soakMs(options) / 6_000) / 10
  return `${minutes} min: warm-up ${seconds(options.warmUpMs)}, rest ${seconds(options.settleMs)}, churn ${seconds(options.forMs)}, rest ${seconds(options.settleMs)}`
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
