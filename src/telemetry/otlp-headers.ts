type Environment = Readonly<Record<string, string | undefined>>

/** Variables that carry headers for the receiver; for one header the first wins. */
export const headerVariables = ['OTEL_EXPORTER_OTLP_TRACES_HEADERS', 'OTEL_EXPORTER_OTLP_HEADERS'] as const

/** One entry of a header variable: its name if it has one, and why gRPC cannot send it. Never its value. */
export interface HeaderProblem {
  readonly given: string
  readonly expected: string
}

const format = 'name=value, several separated by commas, in values % , ; and what is not ASCII written as %XX'

/** What is wrong with the headers of one variable; W3C baggage format, OpenTelemetry’s "Specifying headers via environment". */
export function headerProblems(text: string): HeaderProblem[] {
  return text.split(',').flatMap((entry, index) => problemOf(entry, `entry ${index + 1}`) ?? [])
}

/** The values of all headers, as they are sent and as they are written. */
export function headerValues(env: Environment): string[] {
  const texts = headerVariables.flatMap((variable) => env[variable]?.split(',') ?? [])
  return texts.flatMap((entry) => {
    const raw = entry.slice(entry.indexOf('=') + 1).trim()
    const value = decoded(raw) ?? raw
    // A scheme is no secret, what follows it is: receivers repeat tokens without it.
    return [raw, value, value.replace(/^\S+\s+/, '')]
  })
}

function problemOf(entry: string, where: string): HeaderProblem | undefined {
  if (entry.trim() === '') return undefined
  const at = entry.indexOf('=')
  if (at < 1) return { given: `${where} without a name`, expected: format }
  const name = decoded(entry.slice(0, at).trim()) ?? ''
  const raw = entry.slice(at + 1).trim()
  const which = isSurelyName(name) && /[^=]/.test(raw) ? `the header "${name.toLowerCase()}"` : where
  if (!/^[0-9A-Za-z_.-]+$/.test(name))
    return { given: `${where} with a name that no header has`, expected: 'letters, digits, _ . or - in a name' }
  if (/^grpc-|-bin$/i.test(name))
    return { given: which, expected: 'a name that gRPC does not use itself (grpc-…, …-bin)' }
  const reason = valueProblem(raw)
  if (reason === undefined) return undefined
  return { given: `${which} with a value of ${raw.length} characters ${reason}`, expected: format }
}

/**
 * A token without its name, or the piece behind a comma within one, may end in `=` and look like a name. Only words with
 * dashes between them are shown.
 */
function isSurelyName(name: string): boolean {
  return name.length <= 40 && /^[A-Z]?[a-z]+(-[A-Z]?[a-z]+)*$/.test(name)
}

function valueProblem(raw: string): string | undefined {
  const value = decoded(raw)
  if (raw === '') return 'that is empty'
  if (raw.includes(';')) return 'that holds a semicolon'
  if (value === undefined) return 'that holds a % without two digits behind it'
  if (/[\r\n]/.test(value)) return 'that holds a line break (base64 -w0 writes none)'
  return /^[ -~]*$/.test(value) ? undefined : 'that holds control or non-ASCII characters'
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
