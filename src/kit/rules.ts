import * as z from 'zod/mini'
import { limits } from '../core/limits.ts'
import { describeEndpointFault, otlpEndpointExpected } from '../telemetry/otlp-settings.ts'

/** Allowed values of a setting: in words, for error messages, and as a schema. */
export interface Rule<T> {
  readonly expected: string
  readonly schema: z.ZodMiniType<T, unknown>
}

/** A whole number within bounds; Infinity is not allowed. */
export function whole(min: number, max: number, unit = ''): Rule<number> {
  const schema = z.int().check(z.minimum(min), z.maximum(max))
  return { expected: `a whole number${unit === '' ? '' : ` of ${unit}`} from ${min} to ${max}`, schema }
}

/** A fraction of a total. */
export function share(): Rule<number> {
  return { expected: 'a number from 0 to 1', schema: z.number().check(z.minimum(0), z.maximum(1)) }
}

export function oneOf<const T extends readonly string[]>(values: T): Rule<T[number]> {
  return { expected: `one of ${values.join(', ')}`, schema: z.enum(values) }
}

/** Spans, logs and topics contain these names. */
export function name(): Rule<string> {
  const max = limits.nameLength
  const schema = z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/), z.maxLength(max))
  return {
    expected: `1 to ${max} letters, digits, dots, dashes or underscores, beginning with a letter or digit`,
    schema,
  }
}

/** 128 characters: a guess, long enough for a path of names. */
export function topic(): Rule<string> {
  const schema = z.string().check(z.regex(/^[\x21-\x2b\x2d-\x7e]{1,128}$/))
  return { expected: '1 to 128 printable characters without spaces or commas', schema }
}

/** An OTLP/gRPC endpoint, or `off`. */
export function otlpEndpointOrOff(): Rule<string> {
  const schema = z.string().check(z.refine((text) => text === 'off' || describeEndpointFault(text) === undefined))
  return { expected: `${otlpEndpointExpected}, or off`, schema }
}

/** A DHT's protocol id. go-libp2p always ends it with `/kad/1.0.0`, so another end would exclude its peers. */
export function dhtProtocolOrOff(): Rule<string> {
  const max = limits.nameLength
  const schema = z.string().check(z.regex(/^(off|(\/[\w.-]+)+\/kad\/1\.0\.0)$/), z.maxLength(max))
  return { expected: `a protocol id of at most ${max} characters that ends with /kad/1.0.0, or off`, schema }
}

export function endpointOrOff(): Rule<string> {
  const schema = z.string().check(z.refine((text) => text === 'off' || isHttpUrl(text)))
  return { expected: 'an http:// or https:// URL, or off', schema }
}

function isHttpUrl(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && /^https?:$/.test(url.protocol) && url.hostname !== '' && url.port !== '0'
}
