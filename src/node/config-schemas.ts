import { isIP } from 'node:net'
import { z } from 'zod'
import { parseHostPort } from '../admin/host-port.ts'
import { limits } from '../core/limits.ts'
import { type AddressUse, isAddress } from './addresses.ts'

// Building blocks of the configuration table. Each takes text (or a list of it), since that is what environment and
// command line hold; what is allowed is said in words beside each, for errors, `--help` and README alike.

/** How one value is checked, and what is said when it does not pass. */
export interface Check<T> {
  readonly expected: string
  readonly schema: z.ZodType<T, unknown>
  /** Several values: a comma-separated list in the environment, a flag that may be repeated. */
  readonly list?: true
}

/** A whole number within bounds. Zero is below every bound here, and infinity has no digits: neither is a limit. */
export function count(min: number, max: number, unit = ''): Check<number> {
  const schema = z.string().regex(/^\d+$/).transform(Number).pipe(z.number().min(min).max(max))
  return { expected: `a whole number${unit === '' ? '' : ` of ${unit}`} from ${min} to ${max}`, schema }
}

export function oneOf<const T extends readonly string[]>(values: T): Check<T[number]> {
  return { expected: `one of ${values.join(', ')}`, schema: z.enum(values) }
}

/** Names stand in spans, logs and topics. */
export function name(): Check<string> {
  const max = limits.nameLength
  const schema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/)
  return {
    expected: `1 to ${max} letters, digits, dots, dashes or underscores, beginning with a letter or digit`,
    schema: schema.max(max),
  }
}

export function filePath(): Check<string> {
  return {
    expected: 'the path of a file',
    schema: z
      .string()
      .min(1)
      .max(4_096)
      .regex(/^[^\0]*[^\0/]$/),
  }
}

/** At least 16 characters: what guards an open port must not be guessable. */
export function secret(): Check<string> {
  return {
    expected: '16 to 256 printable characters without spaces',
    schema: z.string().regex(/^[\x21-\x7e]{16,256}$/),
  }
}

/** Where to listen; a word in place of it turns the whole thing off. Port 0 picks a free one. */
export function hostPortOrOff(): Check<string> {
  const schema = z.string().refine((text) => text === 'off' || parseHostPort(text) !== undefined)
  return { expected: 'host:port (an IPv6 host in brackets; port 0 picks a free one), or off', schema }
}

export function endpointOrOff(): Check<string> {
  const schema = z.string().refine((text) => text === 'off' || isHttpUrl(text))
  return { expected: 'an http:// or https:// URL, or off', schema }
}

function isHttpUrl(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && /^https?:$/.test(url.protocol) && url.hostname !== '' && url.port !== '0'
}

export function addresses(use: AddressUse, max: number): Check<readonly string[]> {
  const hosts = use === 'listen' ? 'ip4 or ip6' : 'ip4, ip6, dns, dns4 or dns6'
  const port = use === 'listen' ? 'port 0 picks a free one' : 'a port above 0, /p2p/<id> if known'
  return listOf(`multiaddrs of ${hosts} with /udp/<port>/quic-v1 or /tcp/<port> (${port})`, max, (text) =>
    isAddress(text, use),
  )
}

/** Name servers are asked by address: a name would need a name server first. */
export function nameServers(max: number): Check<readonly string[]> {
  return listOf('name servers as ip or ip:port (IPv6 in brackets)', max, (text) => {
    const server = parseHostPort(text, 53)
    return server !== undefined && server.port > 0 && isIP(server.host) !== 0
  })
}

/** 128 characters: a guess, long enough for a path of names. */
export function topics(max: number): Check<readonly string[]> {
  return listOf('topics of 1 to 128 printable characters without spaces or commas', max, (text) =>
    /^[\x21-\x2b\x2d-\x7e]{1,128}$/.test(text),
  )
}

function listOf(what: string, max: number, fits: (text: string) => boolean): Check<readonly string[]> {
  const schema = z.array(z.string().refine(fits)).max(max).readonly()
  return { expected: `at most ${max} ${what}`, schema, list: true }
}
