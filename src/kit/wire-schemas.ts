import * as z from 'zod/mini'
import { roles } from '../catalogue/roles.ts'
import { MeshError } from '../core/errors.ts'
import type { DialBackRequest, DialBackResult, Digest, Hello } from '../core/frames.ts'
import { limits } from '../core/limits.ts'
import { formatTraceparent, parseTraceparent } from '../core/trace.ts'

/**
 * JSON schemas of what a peer sends about itself. They drop unknown fields: a later version may add some, and a key
 * such as `__proto__` has no effect.
 */

/** Longest multiaddr accepted: IPv6, QUIC, a relay and two peer ids stay below it. */
const addressLength = 256
/** Longest topic accepted. Guess: gossipsub itself names no bound. */
const topicLength = 128
/**
 * The maximum that configuration allows. The staleness window scales with the interval, so this also bounds how long a
 * dead node may count as alive.
 */
const intervalMsMax = 600_000

/** Base58 (`12D3…`, `16Uiu…`, `Qm…`) or a CIDv1 in base32 or base36: peer id text of the libp2p specification. */
const peerId = /^(?:(?:1|Qm)[1-9A-HJ-NP-Za-km-z]{40,60}|b[a-z2-7]{50,80}|k[0-9a-z]{50,80})$/

/** Text for people and logs: no control characters, no lone surrogates. */
function line(length: number) {
  return z.string().check(z.minLength(1), z.maxLength(length), z.regex(/^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]+$/u))
}

const count = z.int().check(z.nonnegative())
const name = line(limits.nameLength)
const meshes = z.array(name).check(z.minLength(1), z.maxLength(2))
const peer = z.string().check(z.regex(peerId))
const address = z.string().check(z.maxLength(addressLength), z.regex(/^\/[\x21-\x7e]+$/))
const topic = line(topicLength)
/** A random number in hex, or `#` and an incarnation for a process that sends no instance. */
const instance = z.string().check(z.regex(/^(?:[0-9a-f]{16}|#\d{1,16})$/))
const ownInstance = z.string().check(z.regex(/^[0-9a-f]{16}$/))
const conflict = z.object({
  peer,
  instances: z.array(instance).check(z.length(2)),
  addresses: z.array(address).check(z.maxLength(2)),
})

const trace = z.pipe(
  z.string(),
  z.transform((text: string, context) => {
    const ref = parseTraceparent(text)
    if (ref !== undefined) return ref
    context.issues.push({ code: 'custom', message: 'not a traceparent', input: text })
    return z.NEVER
  }),
)

const helloSchema = z.object({
  meshes,
  name,
  role: z.enum(roles),
  incarnation: count,
  instance: z.optional(ownInstance),
  build: name,
  counter: count,
  trace,
})

const digestSchema = z.object({
  peer,
  name,
  role: z.enum(roles),
  meshes,
  incarnation: count,
  sequence: count,
  instance: z.optional(ownInstance),
  intervalMs: z.int().check(z.positive(), z.maximum(intervalMsMax)),
  addresses: z.array(address).check(z.maxLength(limits.digestAddresses)),
  topics: z.array(topic).check(z.maxLength(limits.digestTopics)),
  links: z.array(peer).check(z.maxLength(limits.digestLinks)),
  conflicts: z.optional(z.array(conflict).check(z.maxLength(limits.digestConflicts))),
  sentAt: count,
})

const nonce = z.string().check(z.regex(/^[0-9a-f]{32}$/))
const dialBackRequestSchema = z.object({
  nonce,
  transport: z.enum(['quic', 'tcp']),
  port: z.int().check(z.minimum(1), z.maximum(65_535)),
})
const dialBackResultSchema = z.object({
  nonce,
  outcome: z.enum(['reachable', 'unreachable', 'refused']),
})

/** Throws `MESH_FRAME_INVALID`, which names the field, for anything that is not a hello. */
export function parseHello(value: unknown): Hello {
  return check('hello', helloSchema, value)
}

/** Throws `MESH_FRAME_INVALID`, which names the field, for anything that is not a digest. */
export function parseDigest(value: unknown): Digest {
  return check('digest', digestSchema, value)
}

export function parseDialBackRequest(value: unknown): DialBackRequest {
  return check('dialback.request', dialBackRequestSchema, value)
}

export function parseDialBackResult(value: unknown): DialBackResult {
  return check('dialback.result', dialBackResultSchema, value)
}

/** The error repeats no data of the peer, only our names for the field and the fault. */
function check<T>(what: string, schema: z.ZodMiniType<T>, value: unknown): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const field = [what, ...(issue?.path ?? [])].join('.')
  throw new MeshError('MESH_FRAME_INVALID', { reason: `${field}: ${issue?.code.replaceAll('_', ' ')}` })
}

/** A hello as it is encoded to JSON: its trace as a `traceparent`. */
export function helloOnWire(hello: Hello): object {
  return { ...hello, trace: formatTraceparent(hello.trace) }
}

/**
 * The part of the digest that other nodes accept: it omits values over a bound and invalid ones (a topic with a line
 * break). A node with a shortened digest stays a member; one whose digest is refused does not.
 */
export function fitDigest(digest: Digest): Digest {
  return {
    ...digest,
    addresses: fitList(digest.addresses, address, limits.digestAddresses),
    topics: fitList(digest.topics, topic, limits.digestTopics),
    links: fitList(digest.links, peer, limits.digestLinks),
    ...(digest.conflicts && { conflicts: fitList(digest.conflicts, conflict, limits.digestConflicts) }),
  }
}

function fitList<T>(values: readonly T[], schema: z.ZodMiniType, max: number): readonly T[] {
  return values.filter((value) => schema.safeParse(value).success).slice(0, max)
}
