import type { DestinationStream } from 'pino'

interface LogLine {
  readonly time: string
  readonly level: string
  readonly msg: string
}

/** Left out: ids, of which the first digits of the trace open it on the page. */
const leftOut = ['trace_id', 'span_id', 'trace_flags']

/** Writes log lines as text, for a person at a terminal; what is no JSON, unchanged. */
export function terminalLog(destination: DestinationStream): DestinationStream {
  return { write: (line) => destination.write(textOf(line)) }
}

function textOf(line: string): string {
  let parsed: LogLine & Readonly<Record<string, unknown>>
  try {
    parsed = JSON.parse(line)
  } catch {
    return line
  }
  const { time, level, msg, ...fields } = parsed
  const trace = typeof fields['trace_id'] === 'string' ? [`trace ${fields['trace_id'].slice(0, 8)}`] : []
  const text = Object.entries(fields)
    .filter(([key]) => !leftOut.includes(key))
    .map(([key, value]) => `${key}=${valueText(value)}`)
  return `${[localTime(time), level.toUpperCase().padEnd(5), msg, ...text, ...trace].join(' ')}\n`
}

function valueText(value: unknown): string {
  if (Array.isArray(value)) return value.map(valueText).join(',')
  if (typeof value !== 'object' || value === null) return String(value)
  const { message } = value as { readonly message?: unknown }
  return typeof message === 'string' ? message : JSON.stringify(value)
}

/** Time of day as the clock of the terminal shows it. */
function localTime(iso: string): string {
  const date = new Date(iso)
  const parts = [date.getHours(), date.getMinutes(), date.getSeconds()]
  return `${parts.map((part) => String(part).padStart(2, '0')).join(':')}.${String(date.getMilliseconds()).padStart(3, '0')}`
}
