type Environment = Readonly<Record<string, string | undefined>>

/** Variables that carry headers for the receiver; the first one wins. */
export const headerVariables = ['OTEL_EXPORTER_OTLP_TRACES_HEADERS', 'OTEL_EXPORTER_OTLP_HEADERS'] as const

/** Why gRPC cannot send one entry of a header variable; names the header, never its value. */
export interface HeaderProblem {
  readonly given: string
  readonly expected: string
}

const format = 'name=value, separated by commas, with % , ; and non-ASCII characters of a value written as %XX'

/** Checks the headers of one variable; W3C baggage format, OpenTelemetry’s "Specifying headers via environment". */
export function findHeaderProblems(text: string): HeaderProblem[] {
  return text.split(',').flatMap((entry, index) => findProblem(entry, `entry ${index + 1}`) ?? [])
}

/** The values of all headers, decoded and as written. */
export function headerValues(env: Environment): string[] {
  const texts = headerVariables.flatMap((variable) => env[variable]?.split(',') ?? [])
  return texts.flatMap((entry) => {
    const raw = entry.slice(entry.indexOf('=') + 1).trim()
    const value = decodePercent(raw) ?? raw
    // Receivers repeat a token without its scheme.
    return [raw, value, value.replace(/^\S+\s+/, '')]
  })
}

function findProblem(entry: string, position: string): HeaderProblem | undefined {
  if (entry.trim() === '') return undefined
  const at = entry.indexOf('=')
  if (at < 1) return { given: `${position} without a name`, expected: format }
  const name = decodePercent(entry.slice(0, at).trim()) ?? ''
  const raw = entry.slice(at + 1).trim()
  const subject = looksLikeName(name) && /[^=]/.test(raw) ? `the header "${name.toLowerCase()}"` : position
  if (!/^[0-9A-Za-z_.-]+$/.test(name))
    return { given: `${position} with an invalid name`, expected: 'letters, digits, _ . or - in a name' }
  if (/^grpc-|-bin$/i.test(name))
    return { given: subject, expected: 'a name that gRPC does not reserve (grpc-…, …-bin)' }
  const reason = describeValueProblem(raw)
  if (reason === undefined) return undefined
  return { given: `${subject} with a value of ${raw.length} characters ${reason}`, expected: format }
}

/**
 * A token without a name, or its part after a comma, may end in `=` and pass for a name. Only words joined by dashes
 * are shown.
 */
function looksLikeName(name: string): boolean {
  return name.length <= 40 && /^[A-Z]?[a-z]+(-[A-Z]?[a-z]+)*$/.test(name)
}

function describeValueProblem(raw: string): string | undefined {
  const value = decodePercent(raw)
  if (raw === '') return 'that is empty'
  if (raw.includes(';')) return 'that holds a semicolon'
  if (value === undefined) return 'that holds a % without two hex digits'
  if (/[\r\n]/.test(value)) return 'that holds a line break (base64 -w0 writes none)'
  return /^[ -~]*$/.test(value) ? undefined : 'that holds control or non-ASCII characters'
}

function decodePercent(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
