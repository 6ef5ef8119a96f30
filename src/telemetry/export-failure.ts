import { headerValues } from './otlp-headers.ts'
import { findProxy } from './otlp-proxy.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Longest text of a library or receiver that goes into the log: enough to say why, too short to fill it. */
const maxTextLength = 300
/** Shorter values are redacted as whole words only: nearly every text contains an "a". */
const minSubstringLength = 8

/**
 * Describes why an export to `endpoint` failed: gRPC's text without header values (libraries quote them, receivers send
 * them back), and the proxy in use, which gRPC does not mention.
 */
export function failureDescriber(
  endpoint: string | undefined,
  env: Environment = process.env,
): (error: unknown) => string {
  const redact = createRedactor(headerValues(env))
  const url = URL.parse(endpoint ?? '')
  const proxy = url === null ? undefined : findProxy(url.hostname, env)
  const proxyHint = proxy && `through the proxy ${proxy.address} of ${proxy.variable}`
  const portHint = url?.port === '4318' ? 'port 4318 is usually OTLP over HTTP; gRPC listens at 4317' : undefined
  return (error) => {
    const text = redact(error instanceof Error ? error.message : String(error))
    const cause = /Last error: (undefined|null)/.test(text) && proxy ? 'no connection' : text
    return [cause, proxyHint, portHint].filter((part) => part !== undefined).join('; ')
  }
}

/** Replaces each of `values` in a text, and cuts it to one line of 300 characters. */
export function createRedactor(values: readonly string[]): (text: string) => string {
  const forms = new Set(values.flatMap((value) => [value, JSON.stringify(value).slice(1, -1)]))
  const longestFirst = [...forms].filter((form) => form !== '').sort((a, b) => b.length - a.length)
  const patterns = longestFirst.map((form) => {
    const literal = form.replace(/\W/g, '\\$&')
    return new RegExp(form.length < minSubstringLength ? `(?<![A-Za-z0-9])${literal}(?![A-Za-z0-9])` : literal, 'g')
  })
  return (text) => {
    const redacted = patterns.reduce((result, pattern) => result.replace(pattern, '[redacted]'), text)
    const line = redacted.replace(/\p{Cc}+/gu, ' ')
    return line.length > maxTextLength ? `${line.slice(0, maxTextLength)}…` : line
  }
}
