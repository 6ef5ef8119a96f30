/** Result of the drill of one alert. Times are milliseconds; null: it did not happen. */
export interface DrillResult {
  readonly alert: string
  /** `not shown`: inconclusive: it was firing already, its cause could not be created, or the drill did not run. */
  readonly verdict: 'ok' | 'failed' | 'not shown'
  readonly ok: boolean
  /** Time limit for firing, with the time factor applied. */
  readonly statedMs: number
  /** From its cause until it is active in Alertmanager. */
  readonly firedAfterMs: number | null
  /** From the healing until it is not active in Alertmanager. */
  readonly endedAfterMs: number | null
  /** The `traces` links of the alerts that fired: Jaeger searches for their spans. */
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

/** The result as one line of text. */
export function resultLine(result: DrillResult): string {
  const marks = { ok: 'ok ', failed: 'NOT', 'not shown': '?  ' }
  return `${marks[result.verdict]} ${result.alert.padEnd(26)} ${resultText(result)}`
}

export function resultText({ statedMs, firedAfterMs, endedAfterMs, why }: DrillResult): string {
  const fired = firedAfterMs === null ? 'did not fire' : `fired after ${seconds(firedAfterMs)}`
  const ended = endedAfterMs === null ? '' : `, resolved ${seconds(endedAfterMs)} after the healing`
  const reason = why === '' ? '' : `: ${why}`
  return `${fired} (stated ${seconds(statedMs)})${ended}${reason}`
}

export function seconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`
}
