import { headerValues } from './otlp-headers.ts'
import { proxyTo } from './otlp-proxy.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Longest text of a library or receiver that is passed on: enough to say why, too short to fill a log. */
const textMax = 300
/** Shorter values are redacted as whole words only: everything contains an "a". */
const wordBelow = 8

/**
 * Says why an export to `endpoint` failed: the text of gRPC without the values of headers (libraries quote them,
 * receivers send them back), and the proxy on the way, which gRPC does not mention.
 */
export function failureText(endpoint: string | undefined, env: Environment = process.env): (error: unknown) => string {
  const redact = redactor(headerValues(env))
  const url = URL.parse(endpoint ?? '')
  const proxy = url === null ? undefined : proxyTo(url.hostname, env)
  const through = proxy && `through the proxy ${proxy.address} that ${proxy.variable} names`
  const httpPort = url?.port === '4318' ? 'port 4318 is usually OTLP over HTTP, gRPC listens at 4317' : undefined
  return (error) => {
    const text = redact(error instanceof Error ? error.message : String(error))
    const cause = /Last error: (undefined|null)/.test(text) && proxy ? 'no connection' : text
    return [cause, through, httpPort].filter((part) => part !== undefined).join('; ')
  }
}

/** Replaces every one of `values` in a text that is cut to a line of 300 characters. */
export function redactor(values: readonly string[]): (text: string) => string {
  const forms = new Set(values.flatMap((value) => [value, JSON.stringify(value).slice(1, -1)]))
  const longestFirst = [...forms].filter((form) => form !== '').sort((a, b) => b.length - a.length)
  const patterns = longestFirst.map((form) => {
    const literal = form.replace(/\W/g, '\\$&')
    return new RegExp(form.length < wordBelow ? `(?<![A-Za-z0-9])${literal}(?![A-Za-z0-9])` : literal, 'g')
  })
  return (text) => {
    const redacted = patterns.reduce((sofar, pattern) => sofar.replace(pattern, '[redacted]'), text)
    const line = redacted.replace(/\p{Cc}+/gu, ' ')
    return line.length > textMax ? `${line.slice(0, textMax)}…` : line
  }
}
