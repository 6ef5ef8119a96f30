import type { ReceivedSpan } from '../../testing/otlp/otlp-receiver.ts'
import { emitterOf, numberOf, spansInTrace, spansNamed } from '../evidence.ts'

/** First campaign of one node, from its spans. */
export interface Campaign {
  readonly emitter: string
  readonly retries: readonly ReceivedSpan[]
  readonly connected: ReceivedSpan | undefined
  /** What is wrong with it; empty when nothing is. */
  readonly fault: string
}

/** Upper ends of the waits, in milliseconds; the last one repeats. */
const stepsMs = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000]
/** Rounding of `mesh.seed.delay_ms`, in milliseconds. */
const roundingMs = 1

/** First campaigns of all nodes. */
export function firstCampaigns(spans: readonly ReceivedSpan[]): Campaign[] {
  const roots = spansNamed(spans, 'mesh.seed.dial').filter((span) => numberOf(span, 'mesh.seed.campaign') === 1)
  return roots.map((root) => {
    const trace = spansInTrace(spans, root.traceId)
    const inOrder = (a: ReceivedSpan, b: ReceivedSpan) => a.endMs - b.endMs
    const retries = spansNamed(trace, 'mesh.seed.retry').sort(inOrder)
    const connected = spansNamed(trace, 'mesh.seed.connected')[0]
    return { emitter: emitterOf(root), retries, connected, fault: faultOf(root, trace, retries) }
  })
}

function faultOf(root: ReceivedSpan, trace: readonly ReceivedSpan[], retries: readonly ReceivedSpan[]): string {
  const ends = spansNamed(trace, 'mesh.seed.connected')
  if (root.parentSpanId !== '') return 'the campaign is not a root span'
  const stray = [...retries, ...ends].find(({ parentSpanId }) => parentSpanId !== root.spanId)
  if (stray !== undefined) return `${stray.name} is not a child of its campaign`
  if (ends.length !== 1) return `${ends.length} ends`
  const numbered = [...retries, ...ends].map((span) => numberOf(span, 'mesh.seed.attempt'))
  if (numbered.some((attempt, index) => attempt !== index + 1)) return `attempts are numbered ${numbered.join(' ')}`
  const wrong = retries.find((retry, index) => !isWait(numberOf(retry, 'mesh.seed.delay_ms'), index))
  return wrong === undefined
    ? ''
    : `wait ${wrong.attributes['mesh.seed.delay_ms']} after attempt ${wrong.attributes['mesh.seed.attempt']}`
}

function isWait(delayMs: number, index: number): boolean {
  const step = stepsMs[Math.min(index, stepsMs.length - 1)] ?? 0
  return delayMs >= step / 2 - roundingMs && delayMs <= step + roundingMs
}

/** The longest remaining wait of any campaign at `atMs` (Unix milliseconds), without attempts in progress. */
export function longestWaitMs(campaigns: readonly Campaign[], atMs: number): number {
  const waits = campaigns.map(({ retries }) => {
    const last = retries.filter((retry) => retry.startMs <= atMs).at(-1)
    return last === undefined ? 0 : last.endMs + numberOf(last, 'mesh.seed.delay_ms') - atMs
  })
  return Math.max(0, ...waits)
}
