import { type SpanName, type SpanSpec, spans } from '../../catalogue/spans.ts'
import type { Period } from './source.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
/** So many minutes at the begin and at the end. */
const [firstMinutes, lastMinutes] = [2, 3]
/** Minutes in between, if the period is shorter than so many hours. */
const between = 24

/**
 * The parts of a long period that are read: its first and last minutes, and one minute per hour, or per 24th of a
 * shorter period. Counters of the census only rise, so what was between them is known.
 */
export function sampledParts({ fromMs, toMs }: Period): Period[] {
  const stepMs = Math.min(hourMs, (toMs - fromMs) / between)
  const first = { fromMs, toMs: fromMs + firstMinutes * minuteMs }
  const last = { fromMs: toMs - lastMinutes * minuteMs, toMs }
  const count = Math.max(0, Math.ceil((last.fromMs - first.toMs) / stepMs) - 1)
  const middle = Array.from({ length: count }, (_, index) => {
    const atMs = first.toMs + (index + 1) * stepMs
    return { fromMs: atMs, toMs: Math.min(atMs + minuteMs, last.fromMs) }
  })
  return [first, ...middle, last].filter((part) => part.toMs > part.fromMs)
}

/** Minutes before and after a moment, to see more closely when something began. */
export function partsAround(atMs: number, { fromMs, toMs }: Period): Period[] {
  const stepMs = Math.min(hourMs, (toMs - fromMs) / between) / 4
  return [-3, -2, -1, 0, 1, 2, 3]
    .map((step) => atMs + step * stepMs)
    .filter((startMs) => startMs >= fromMs && startMs < toMs)
    .map((startMs) => ({ fromMs: startMs, toMs: Math.min(startMs + minuteMs, toMs) }))
}

/** Urgency of a log level; the names of errors are read first. */
const levels: readonly string[] = ['error', 'warn', 'info', 'debug', 'trace']

/**
 * The names that are read in full, the most urgent first: not what a node emits periodically, and not messages, which an
 * application may send by the thousand.
 */
export function rareNames(operations: readonly string[]): SpanName[] {
  const urgency = (name: SpanName) => levels.indexOf((spans[name] as SpanSpec).log ?? 'info')
  return operations
    .filter((name) => Object.hasOwn(spans, name))
    .map((name) => name as SpanName)
    .filter((name) => isRare(name, spans[name]))
    .toSorted((a, b) => urgency(a) - urgency(b))
}

function isRare(name: SpanName, { routine }: SpanSpec): boolean {
  const isPeriodic = routine !== undefined || name === 'mesh.audit'
  return !isPeriodic && !name.startsWith('mesh.message.') && !name.startsWith('mesh.doctor.')
}
