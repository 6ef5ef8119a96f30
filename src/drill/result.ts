/** What became of the drill of one alert. Times are milliseconds; null: it did not happen. */
export interface DrillResult {
  readonly alert: string
  /** `not shown`: nothing can be said, since it rang already, its cause could not be brought about, or nobody did. */
  readonly verdict: 'ok' | 'failed' | 'not shown'
  readonly ok: boolean
  /** Within which it is to ring, the time factor applied. */
  readonly statedMs: number
  /** From its cause until Alertmanager has it. */
  readonly firedAfterMs: number | null
  /** From the healing until Alertmanager has it no more. */
  readonly endedAfterMs: number | null
  /** Links of those that rang, as Alertmanager had them: Jaeger at the search for the spans of each. */
  readonly traces: readonly string[]
  /** Empty when it is ok. */
  readonly why: string
}

const noTimes = { firedAfterMs: null, endedAfterMs: null, traces: [] }
export type DrillTimes = Partial<Pick<DrillResult, 'firedAfterMs' | 'endedAfterMs' | 'traces'>>

export function okResult({ alert, statedMs }: Pick<DrillResult, 'alert' | 'statedMs'>, times: DrillTimes): DrillResult {
  return { alert, verdict: 'ok', ok: true, statedMs, ...noTimes, ...times, why: '' }
}

export function badResult(
  verdict: 'failed' | 'not shown',
  { alert, statedMs }: Pick<DrillResult, 'alert' | 'statedMs'>,
  why: string,
  times: DrillTimes = {},
): DrillResult {
  return { alert, verdict, ok: false, statedMs, ...noTimes, ...times, why }
}

/** One line for people. */
export function resultLine(result: DrillResult): string {
  const marks = { ok: 'ok ', failed: 'NOT', 'not shown': '?  ' }
  return `${marks[result.verdict]} ${result.alert.padEnd(26)} ${resultText(result)}`
}

export function resultText({ statedMs, firedAfterMs, endedAfterMs, why }: DrillResult): string {
  const fired = firedAfterMs === null ? 'did not ring' : `rang after ${seconds(firedAfterMs)}`
  const ended = endedAfterMs === null ? '' : `, ended ${seconds(endedAfterMs)} after the healing`
  const reason = why === '' ? '' : `: ${why}`
  return `${fired} (stated ${seconds(statedMs)})${ended}${reason}`
}

export function seconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`
}
