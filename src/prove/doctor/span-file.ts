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

type Gap = { readonly kind: 'trace' | 'span' | 'seq' | 'total' | 'time' | 'grown'; readonly value: number }

/** A number of the census of one node that is larger each minute, as a leak has it. */
export interface Growth {
  readonly node: string
  readonly attributes: readonly string[]
  readonly perMinute: number
}

export interface Multiplication {
  /** Spans of all lines, or a few more. */
  readonly count: number
  /** Added to all times, in milliseconds. */
  readonly laterMs?: number
  readonly growth?: Growth
}

const minuteMs = 60_000
/** Exports of a node per minute: a line each. */
const exportsPerMinute = 4

/**
 * Lines as the Collector writes them: the same minute of every process again and again, each time later, with ids and
 * numbers of its own, and with counters that rise.
 */
export function* multipliedLines(
  minute: readonly RecordedGroup[],
  { count, laterMs = 0, growth }: Multiplication,
): Generator<string, number> {
  const templates = minute.flatMap((group) => templatesOf(group, growth))
  const spansPerMinute = spansOf(minute)
  const perMinute = growth?.perMinute ?? 0
  let written = 0
  for (let at = 0; written < count; at++) {
    for (const template of templates) yield lineOf(template, { minute: at, spansPerMinute, laterMs, perMinute })
    written += spansPerMinute
  }
  return written
}

export function spansOf(groups: readonly RecordedGroup[]): number {
  return groups.reduce(
    (sum, { scopeSpans }) => sum + scopeSpans.reduce((count, { spans }) => count + spans.length, 0),
    0,
  )
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

function templatesOf({ resource, scopeSpans }: RecordedGroup, growth: Growth | undefined): Template[] {
  const isSick = resource.attributes.some(
    ({ key, value }) => key === 'mesh.node.name' && value.stringValue === growth?.node,
  )
  const grown = isSick ? (growth?.attributes ?? []) : []
  const scope = scopeSpans[0]?.scope
  const spans = scopeSpans.flatMap((part) => part.spans).toSorted(byStart)
  const size = Math.ceil(spans.length / exportsPerMinute)
  return Array.from({ length: exportsPerMinute }, (_, part) => spans.slice(part * size, (part + 1) * size)).flatMap(
    (some) =>
      some.length === 0
        ? []
        : [templateOf({ resource, scopeSpans: [{ scope, spans: some }] }, some.length, spans.length, grown)],
  )
}

function byStart(a: RecordedSpan, b: RecordedSpan): number {
  return a.startTimeUnixNano < b.startTimeUnixNano ? -1 : 1
}

const mark = '\u{1}'

function templateOf(group: object, spans: number, perMinute: number, grown: readonly string[]): Template {
  const gaps: Gap[] = []
  const gap = (kind: Gap['kind'], value: number) => `${mark}${gaps.push({ kind, value }) - 1}${mark}`
  const text = JSON.stringify({ resourceSpans: [group] }, (key, value: unknown) => {
    if (key === 'traceId') return gap('trace', hashOf(String(value)))
    if (key === 'spanId' || key === 'parentSpanId') return gap('span', hashOf(String(value)))
    if (key === 'startTimeUnixNano' || key === 'endTimeUnixNano') return gap('time', Number(String(value).slice(0, -6)))
    const { key: name = '', value: { intValue = undefined } = {} } = (value ?? {}) as Partial<RecordedAttribute>
    if (intValue === undefined) return value
    if (name === 'mesh.seq') return { key: name, value: { intValue: gap('seq', Number(intValue) * 1e6 + perMinute) } }
    if (grown.includes(name)) return { key: name, value: { intValue: gap('grown', Number(intValue)) } }
    const rises = name.endsWith('_total') && !name.includes('.lost_')
    return rises ? { key: name, value: { intValue: gap('total', Number(intValue)) } } : value
  })
  // JSON writes the mark as an escape.
  const parts = text.split(/\\u0001(?:\d+)\\u0001/)
  return { spans, pieces: parts, gaps }
}

/** What differs between two minutes. */
interface Place {
  readonly minute: number
  readonly spansPerMinute: number
  readonly laterMs: number
  /** What a leak adds per minute. */
  readonly perMinute: number
}

function lineOf({ pieces, gaps }: Template, place: Place): string {
  let line = pieces[0] ?? ''
  for (const [index, gap] of gaps.entries()) line += textOf(gap, place) + (pieces[index + 1] ?? '')
  return line
}

function textOf({ kind, value }: Gap, { minute, spansPerMinute, laterMs, perMinute }: Place): string {
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
      return `${value + minute * minuteMs + laterMs}000000`
    case 'grown':
      return String(value + minute * perMinute)
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
