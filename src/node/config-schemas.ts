import { isIP } from 'node:net'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import * as z from 'zod'
import { parseHostPort } from '../admin/host-port.ts'
import type { GuestRule } from '../core/credentials/admission-rules.ts'
import type { AgentLimit } from '../kit/gossip/rpc-size.ts'
import { type Rule, topic } from '../kit/rules.ts'

// Building blocks of the configuration table. Each parses text (or a list of texts) from the environment or the command
// line, and has a description of the allowed values for errors, `--help` and `docs/configuration.md`.

/** The schema of one value, and the description of the allowed values for errors. */
export interface Check<T> extends Rule<T> {
  /** Several values: a comma-separated list in the environment, a repeatable flag. */
  readonly list?: true
}

/** A whole number in digits. Zero is below every minimum and infinity has no digits, so neither disables a limit. */
export function count({ expected, schema }: Rule<number>): Check<number> {
  return {
    expected,
    schema: z
      .string()
      .regex(/^\d+$/)
      .transform((text): unknown => Number(text))
      .pipe(schema),
  }
}

/** A number in digits with at most one point. */
export function decimal({ expected, schema }: Rule<number>): Check<number> {
  return {
    expected,
    schema: z
      .string()
      .regex(/^\d+(\.\d+)?$/)
      .transform((text): unknown => Number(text))
      .pipe(schema),
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

/** The secret of a mesh, or several: 43 characters of base64url each. */
export function meshSecret(): Check<string> {
  return {
    expected: 'what tracemesh secret prints',
    schema: z.string().regex(/^[\w-]{43}(\s+[\w-]{43}){0,7}$/),
  }
}

/** `none`, `any`, or peer ids. */
export function guests(max: number): Check<GuestRule> & { readonly list: true } {
  const ids = z
    .array(z.string().refine((text) => isPeerId(text)))
    .min(1)
    .max(max)
  const word = z.tuple([z.enum(['none', 'any'])]).transform(([one]) => one)
  return { list: true, expected: `none, any, or at most ${max} peer ids`, schema: z.union([word, ids]) }
}

function isPeerId(text: string): boolean {
  try {
    return peerIdFromString(text).toString() === text
  } catch {
    return false
  }
}

/** At least 16 characters: the token of an open port must not be guessable. */
export function secret(): Check<string> {
  return {
    expected: '16 to 256 printable characters without spaces',
    schema: z.string().regex(/^[\x21-\x7e]{16,256}$/),
  }
}

/** A listen address, or `off` to disable the server. Port 0 picks a free one. */
export function hostPortOrOff(): Check<string> {
  const schema = z.string().refine((text) => text === 'off' || parseHostPort(text) !== undefined)
  return { expected: 'host:port (an IPv6 host in brackets; port 0 picks a free one), or off', schema }
}

/** The URL of an HTTP server, without slashes at its end: paths follow it. */
export function httpUrl(): Check<string> {
  const schema = z
    .string()
    .refine((text) => /^https?:$/.test(URL.parse(text)?.protocol ?? ''))
    .transform((text) => text.replace(/\/+$/, ''))
  return { expected: 'an http:// or https:// URL', schema }
}

export function addresses(use: AddressUse, max: number): Check<readonly string[]> {
  const hosts = use === 'listen' ? 'ip4 or ip6' : 'ip4, ip6, dns, dns4 or dns6'
  const port = use === 'listen' ? 'port 0 picks a free one' : 'a port above 0, /p2p/<id> if known'
  return listOf(`multiaddrs of ${hosts} with /udp/<port>/quic-v1 or /tcp/<port> (${port})`, max, (text) =>
    isAddress(text, use),
  )
}

/** Name servers are IP addresses: resolving a name would need a name server first. */
export function nameServers(max: number): Check<readonly string[]> {
  return listOf('name servers as ip or ip:port (IPv6 in brackets)', max, (text) => {
    const server = parseHostPort(text, 53)
    return server !== undefined && server.port > 0 && isIP(server.host) !== 0
  })
}

export function topics(max: number): Check<readonly string[]> {
  const { expected, schema } = topic()
  return listOf(`topics of ${expected}`, max, (text) => schema.safeParse(text).success)
}

/** RPC size limits of peers by agent, each as `agent=bytes`. */
export function agentLimits({ schema }: Rule<readonly AgentLimit[]>): Check<readonly AgentLimit[]> {
  return {
    expected: 'agent=bytes: a part of the agent version of a peer, and at least 1024 bytes',
    schema: z
      .array(z.string().regex(/^[^=]+=\d+$/))
      .transform((texts): unknown =>
        texts.map((text) => {
          const [agent, bytes] = text.split('=')
          return { agent, bytes: Number(bytes) }
        }),
      )
      .pipe(schema),
    list: true,
  }
}

/** A list setting whose elements `rule` checks together. */
export function several<T>(rule: Rule<readonly T[]>): Check<readonly T[]> {
  return { ...rule, list: true }
}

function listOf(what: string, max: number, isValid: (text: string) => boolean): Check<readonly string[]> {
  const schema = z.array(z.string().refine(isValid)).max(max).readonly()
  return { expected: `at most ${max} ${what}`, schema, list: true }
}

/** The use of an address decides which components it may have. */
type AddressUse = 'listen' | 'dial'

const shapes: Record<AddressUse, RegExp> = {
  listen: /^(ip4|ip6)\/(udp\/quic-v1|tcp)$/,
  dial: /^(ip4|ip6|dns|dns4|dns6)\/(udp\/quic-v1|tcp)(\/p2p)?$/,
}
const domain = /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\.?$/

/** Whether `text` is a multiaddr that this node can listen on, or dial: QUIC or TCP. Port 0 is for listening only. */
export function isAddress(text: string, use: AddressUse): boolean {
  try {
    const parts = multiaddr(text).getComponents()
    if (!shapes[use].test(parts.map((part) => part.name).join('/'))) return false
    return parts.every(({ name, value = '' }) => {
      if (name.startsWith('dns')) return domain.test(value)
      if (name === 'udp' || name === 'tcp') return use === 'listen' || value !== '0'
      if (name === 'p2p') peerIdFromString(value)
      return true
    })
  } catch {
    return false
  }
}

const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
/** `setTimeout` takes at most 2^31 - 1 ms. */
const longestMs = 24 * 86_400_000

/** Parses `90s`, `10m`, `2h` or `7d` to milliseconds; undefined for anything else, below 1 s and above 24 days. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,7}(?:\.\d{1,3})?)([smhd])$/.exec(text)
  const ms = Number(match?.[1]) * (units[match?.[2] ?? ''] ?? Number.NaN)
  return ms >= 1_000 && ms <= longestMs ? ms : undefined
}

/** A flag whose text is a duration; its value is in milliseconds. */
export function duration(): Check<number> {
  return {
    expected: 'a duration such as 90s, 10m, 2h or 7d, from 1s to 24d',
    schema: z.string().transform(parseDuration).pipe(z.number()),
  }
}
