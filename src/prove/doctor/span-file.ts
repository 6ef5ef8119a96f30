/** A group of spans of one process, as OTLP's JSON has it. */
export interface RecordedGroup {
  readonly resource: { readonly attributes: readonly RecordedAttribute[] }
  readonly scopeSpans: readonly { readonly scope?: object; readonly spans: readonly RecordedSpan[] }[]
}

interface RecordedAttribute {
  readonly key: string
  readonly value: { readonly stringValue?: string; readonly intValue?: string }
}

interface RecordedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes?: readonly RecordedAttribute[]
}

/** A minute of one process as text, with gaps for what differs in each minute. */
interface Template {
  readonly spans: number
  readonly pieces: readonly string[]
  readonly gaps: readonly Gap[]
}

type Gap = { readonly kind: 'trace' | 'span' | 'seq' | 'total' | 'time'; readonly value: number }

const minuteMs = 60_000
/** Exports of a node per minute: a line each. */
const exportsPerMinute = 4

/**
 * Lines as the Collector writes them: the same minute of every process again and again, each time later, with ids and
 * numbers of its own, and with counters that rise. Ends after `count` spans, or a few more.
 */
export function* multipliedLines(minute: readonly RecordedGroup[], count: number): Generator<string, number> {
  const templates = minute.flatMap(templatesOf)
  const spansPerMinute = templates.reduce((sum, { spans }) => sum + spans, 0)
  let written = 0
  for (let at = 0; written < count; at++) {
    for (const template of templates) yield lineOf(template, at, spansPerMinute)
    written += spansPerMinute
  }
  return written
}

/** The groups with only those spans that start within a minute from `fromMs`. */
export function minuteOf(groups: readonly RecordedGroup[], fromMs: number): RecordedGroup[] {
  const starts = ({ startTimeUnixNano }: RecordedSpan) => Number(startTimeUnixNano) / 1e6 - fromMs
  const isWithin = (span: RecordedSpan) => starts(span) >= 0 && starts(span) < minuteMs
  return groups.flatMap((group) => {
    const scopeSpans = group.scopeSpans.map((part) => ({ ...part, spans: part.spans.filter(isWithin) }))
    return scopeSpans.some(({ spans }) => spans.length > 0) ? [{ ...group, scopeSpans }] : []
  })
}

function templatesOf({ resource, scopeSpans }: RecordedGroup): Template[] {
  const scope = scopeSpans[0]?.scope
  const spans = scopeSpans.flatMap((part) => part.spans).toSorted(byStart)
  const size = Math.ceil(spans.length / exportsPerMinute)
  return Array.from({ length: exportsPerMinute }, (_, part) => spans.slice(part * size, (part + 1) * size)).flatMap(
    (some) =>
      some.length === 0
        ? []
        : [templateOf({ resource, scopeSpans: [{ scope, spans: some }] }, some.length, spans.length)],
  )
}

function byStart(a: RecordedSpan, b: RecordedSpan): number {
  return a.startTimeUnixNano < b.startTimeUnixNano ? -1 : 1
}

const mark = '\u{1}'

function templateOf(group: object, spans: number, perMinute: number): Template {
  const gaps: Gap[] = []
  const gap = (kind: Gap['kind'], value: number) => `${mark}${gaps.push({ kind, value }) - 1}${mark}`
  const text = JSON.stringify({ resourceSpans: [group] }, (key, value: unknown) => {
    if (key === 'traceId') return gap('trace', hashOf(String(value)))
    if (key === 'spanId' || key === 'parentSpanId') return gap('span', hashOf(String(value)))
    if (key === 'startTimeUnixNano' || key === 'endTimeUnixNano') return gap('time', Number(String(value).slice(0, -6)))
    const { key: name = '', value: { intValue = undefined } = {} } = (value ?? {}) as Partial<RecordedAttribute>
    if (intValue === undefined) return value
    if (name === 'mesh.seq') return { key: name, value: { intValue: gap('seq', Number(intValue) * 1e6 + perMinute) } }
    const rises = name.endsWith('_total') && !name.includes('.lost_')
    return rises ? { key: name, value: { intValue: gap('total', Number(intValue)) } } : value
  })
  // JSON writes the mark as an escape.
  const parts = text.split(/\\u0001(?:\d+)\\u0001/)
  return { spans, pieces: parts, gaps }
}

function lineOf({ pieces, gaps }: Template, minute: number, spansPerMinute: number): string {
  let line = pieces[0] ?? ''
  for (const [index, { kind, value }] of gaps.entries())
    line += textOf(kind, value, minute, spansPerMinute) + (pieces[index + 1] ?? '')
  return line
}

function textOf(kind: Gap['kind'], value: number, minute: number, spansPerMinute: number): string {
  switch (kind) {
    case 'trace':
      return `${hex(value)}${hex(minute + 1).padStart(16, '0')}`.padStart(32, '0')
    case 'span':
      return `${hex(minute + 1).padStart(8, '0')}${hex(value)}`
    case 'seq':
      return String(Math.floor(value / 1e6) + minute * (value % 1e6))
    case 'total':
      return String(value + Math.floor((minute * spansPerMinute) / 1_000))
    case 'time':
      return `${value + minute * minuteMs}000000`
  }
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0')
}

/** FNV-1a: the same text is the same id within a minute. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0
  return hash
}
