import * as z from 'zod/mini'
import { roles } from '../catalogue/roles.ts'
import { MeshError } from '../core/errors.ts'
import type { CloseReason, Digest, Frame, FrameType } from '../core/frames.ts'
import { limits } from '../core/limits.ts'
import { formatTraceparent, parseTraceparent, type TraceRef } from '../core/trace.ts'

/**
 * Frames of the link stream: u16 payload length (big-endian), u8 type, payload. First the payloads, then the table of
 * all frames, then the reader that cuts a stream into frames.
 *
 * Schemas of what a peer sends about itself drop unknown fields: a later version may add some, and a key such as
 * `__proto__` has no effect.
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

const tokens = z.array(z.string().check(z.maxLength(limits.credentialBytes))).check(z.maxLength(2))

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
  credentials: z.optional(tokens),
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
  credentials: z.optional(tokens),
  leaving: z.optional(z.literal(true)),
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

/** Wire codes, independent of the catalogue: its order may change, these must not. */
const reasonCodes: Record<CloseReason, number> = {
  unknown: 0,
  stopping: 1,
  superseded: 2,
  silent: 3,
  'foreign-mesh': 4,
  'bad-frame': 5,
  flooding: 6,
  limit: 7,
  duplicate: 8,
  transport: 9,
  'gossip-mute': 10,
  wedged: 11,
  'not-admitted': 12,
}
const reasons = Object.keys(reasonCodes) as CloseReason[]

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const toJson = (value: object): Uint8Array => encoder.encode(JSON.stringify(value))

interface Codec<F extends Frame> {
  /**
   * The type code. A node refuses an unknown code below 128 and closes the link; it ignores unknown ones from 128 on, so
   * that a later version can send hints to an earlier one. Codes from 16 to 127 are reserved for later use.
   */
  readonly code: number
  readonly encode: (frame: F) => Uint8Array
  /** Throws `MESH_FRAME_INVALID`. The result shares no memory with the payload. */
  readonly decode: (payload: Uint8Array) => F
}

/** Every frame: its code and its payload. */
const codecs: { readonly [T in FrameType]: Codec<Extract<Frame, { readonly type: T }>> } = {
  hello: {
    code: 1,
    encode: ({ hello }) => toJson({ ...hello, trace: formatTraceparent(hello.trace) }),
    decode: (payload) => ({ type: 'hello', hello: parse('hello', helloSchema, payload) }),
  },
  digest: {
    code: 2,
    encode: ({ digest }) => encodeDigest(digest),
    decode: (payload) => ({ type: 'digest', digest: decodeDigest(payload) }),
  },
  unchanged: {
    code: 3,
    encode: ({ incarnation, sequence }) => encodeSafeIntegers(incarnation, sequence),
    decode: (payload) => {
      const [incarnation, sequence] = decodeSafeIntegers('unchanged', payload)
      return { type: 'unchanged', incarnation, sequence }
    },
  },
  probe: { code: 4, ...withoutPayload({ type: 'probe' }) },
  answer: { code: 5, ...withoutPayload({ type: 'answer' }) },
  goodbye: {
    code: 6,
    encode: ({ reason, trace }) => Uint8Array.of(reasonCodes[reason], ...encoder.encode(formatTraceparent(trace))),
    decode: (payload) => ({ type: 'goodbye', ...decodeGoodbye(payload) }),
  },
  credentials: {
    code: 7,
    encode: ({ credentials }) => toJson(credentials),
    decode: (payload) => ({ type: 'credentials', credentials: parse('credentials', tokens, payload) }),
  },
  'dialback.request': {
    code: 128,
    encode: ({ request }) => toJson(request),
    decode: (payload) => ({
      type: 'dialback.request',
      request: parse('dialback.request', dialBackRequestSchema, payload),
    }),
  },
  'dialback.result': {
    code: 129,
    encode: ({ result }) => toJson(result),
    decode: (payload) => ({ type: 'dialback.result', result: parse('dialback.result', dialBackResultSchema, payload) }),
  },
}
export const frameTypes = Object.keys(codecs) as FrameType[]
const ignoredFrom = 128
const headerBytes = 3
const windowMs = 1_000

function withoutPayload<F extends Frame>(frame: F): Omit<Codec<F>, 'code'> {
  const decode = ({ length }: Uint8Array) => {
    if (length !== 0) throw refusal(`${frame.type} with a payload`)
    return frame
  }
  return { encode: () => new Uint8Array(0), decode }
}

/**
 * A digest as JSON: the payload of its frame and of its gossip message. It omits what other nodes would refuse: values
 * over a bound, invalid ones (a topic with a line break), and topics until the payload fits a frame. A node with a
 * shortened digest stays a member; one whose digest is refused does not.
 */
export function encodeDigest(digest: Digest): Uint8Array {
  let fitted: Digest = {
    ...digest,
    addresses: fitList(digest.addresses, address, limits.digestAddresses),
    topics: fitList(digest.topics, topic, limits.digestTopics),
    links: fitList(digest.links, peer, limits.digestLinks),
    ...(digest.conflicts && { conflicts: fitList(digest.conflicts, conflict, limits.digestConflicts) }),
  }
  let bytes = toJson(fitted)
  while (bytes.length > limits.frameBytes && fitted.topics.length > 0) {
    fitted = { ...fitted, topics: fitted.topics.slice(0, fitted.topics.length >> 1) }
    bytes = toJson(fitted)
  }
  return bytes
}

function fitList<T>(values: readonly T[], schema: z.ZodMiniType, max: number): readonly T[] {
  return values.filter((value) => schema.safeParse(value).success).slice(0, max)
}

/** Throws `MESH_FRAME_INVALID` for anything that is not a digest. */
export function decodeDigest(bytes: Uint8Array): Digest {
  if (bytes.length > limits.frameBytes) throw refusal(`a digest of ${bytes.length} bytes`)
  return parse('digest', digestSchema, bytes)
}

/**
 * Reads JSON. Deep nesting is harmless: V8 parses without recursion, and the schemas read only known fields. The error
 * repeats no data of the peer, only our names for the field and the fault.
 */
function parse<T>(type: FrameType, schema: z.ZodMiniType<T>, payload: Uint8Array): T {
  let value: unknown
  try {
    value = JSON.parse(decoder.decode(payload))
  } catch {
    throw refusal('not JSON in UTF-8')
  }
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw refusal(`${[type, ...(issue?.path ?? [])].join('.')}: ${issue?.code.replaceAll('_', ' ')}`)
}

/** Two u64, big-endian. */
function encodeSafeIntegers(first: number, second: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(16))
  view.setBigUint64(0, BigInt(first))
  view.setBigUint64(8, BigInt(second))
  return new Uint8Array(view.buffer)
}

function decodeSafeIntegers(type: FrameType, payload: Uint8Array): readonly [number, number] {
  if (payload.length !== 16) throw refusal(`${type} of ${payload.length} bytes`)
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length)
  const [first, second] = [Number(view.getBigUint64(0)), Number(view.getBigUint64(8))]
  if (Number.isSafeInteger(first) && Number.isSafeInteger(second)) return [first, second]
  throw refusal(`${type} beyond safe integers`)
}

/** A goodbye with an unknown reason, of a later version, is still a goodbye. */
function decodeGoodbye(payload: Uint8Array): { readonly reason: CloseReason; readonly trace: TraceRef } {
  const reason = reasons.find((name) => reasonCodes[name] === payload[0]) ?? 'unknown'
  const trace = parseTraceparent(String.fromCharCode(...payload.subarray(1, 64)))
  if (trace === undefined || payload.length >= 64) throw refusal('goodbye without a traceparent')
  return { reason, trace }
}

function refusal(reason: string): MeshError<'MESH_FRAME_INVALID'> {
  return new MeshError('MESH_FRAME_INVALID', { reason })
}

/** Encodes one frame. Throws `MESH_FRAME_INVALID` for a payload longer than `limits.frameBytes`. */
export function encodeFrame(frame: Frame): Uint8Array {
  const { code, encode } = codecs[frame.type] as Codec<Frame>
  const payload = encode(frame)
  if (payload.length > limits.frameBytes) throw refusal(`a ${frame.type} of ${payload.length} bytes is too long`)
  const bytes = new Uint8Array(headerBytes + payload.length)
  new DataView(bytes.buffer).setUint16(0, payload.length)
  bytes[2] = code
  bytes.set(payload, headerBytes)
  return bytes
}

/** `MESH_FRAME_INVALID` from a reader, with the frames ahead of the refused one. */
export class FrameRefusedError extends MeshError<'MESH_FRAME_INVALID'> {
  /** The peer sent too many frames. */
  readonly isFlood: boolean
  /** Valid frames of the same chunk, ahead of the refused one: chunk boundaries are arbitrary. */
  readonly frames: readonly Frame[]

  constructor(reason: string, flooding: boolean, frames: readonly Frame[]) {
    super('MESH_FRAME_INVALID', { reason })
    this.isFlood = flooding
    this.frames = frames
  }
}

/**
 * Cuts one link stream into frames, independent of chunk boundaries. It buffers at most one incomplete frame and copies
 * each byte once. After a refusal it refuses everything, since it no longer knows where a frame starts.
 */
export class FrameReader {
  readonly #onFrame: (type: FrameType, bytes: number) => void
  readonly #header = new Uint8Array(headerBytes)
  #headerFilled = 0
  /** Undefined until the header is complete. */
  #payload: Uint8Array | undefined
  #payloadFilled = 0
  #windowStart = Number.NEGATIVE_INFINITY
  #framesInWindow = 0
  #refusalReason: string | undefined

  /** Calls `onFrame` for each valid frame, with its bytes on the wire. */
  constructor(onFrame: (type: FrameType, bytes: number) => void = () => {}) {
    this.#onFrame = onFrame
  }

  /** Size of the buffered incomplete frame, missing bytes included. */
  get bufferedBytes(): number {
    return this.#headerFilled + (this.#payload?.length ?? 0)
  }

  /** Returns the frames that end in this chunk. `now` is monotonic milliseconds. Throws `FrameRefusedError`. */
  push(chunk: Uint8Array, now: number): Frame[] {
    const frames: Frame[] = []
    try {
      if (this.#refusalReason !== undefined) throw refusal(this.#refusalReason)
      for (let at = 0; at < chunk.length; ) at = this.#take(chunk, at, frames, now)
      return frames
    } catch (error) {
      if (!(error instanceof MeshError)) throw error
      throw this.#refuse(error as MeshError<'MESH_FRAME_INVALID'>, frames)
    }
  }

  /** Reads the current frame from `at` as far as the chunk goes; returns the end offset. */
  #take(chunk: Uint8Array, at: number, frames: Frame[], now: number): number {
    let next = at
    if (this.#payload === undefined) {
      next = this.#fill(this.#header, this.#headerFilled, chunk, at)
      this.#headerFilled += next - at
      if (this.#headerFilled < headerBytes) return next
      this.#payload = new Uint8Array(this.#announcedLength())
    }
    const end = this.#fill(this.#payload, this.#payloadFilled, chunk, next)
    this.#payloadFilled += end - next
    if (this.#payloadFilled === this.#payload.length) this.#endFrame(this.#payload, frames, now)
    return end
  }

  #fill(target: Uint8Array, filled: number, chunk: Uint8Array, at: number): number {
    const end = Math.min(chunk.length, at + target.length - filled)
    target.set(chunk.subarray(at, end), filled)
    return end
  }

  /** The payload length in the header; it refuses a bad header before the allocation. */
  #announcedLength(): number {
    const [high = 0, low = 0, code = 0] = this.#header
    const length = high * 256 + low
    if (length > limits.frameBytes) throw refusal(`a frame of ${length} bytes is too long`)
    if (code < ignoredFrom && typeOf(code) === undefined) throw refusal(`no frame has type ${code}`)
    return length
  }

  #endFrame(payload: Uint8Array, frames: Frame[], now: number): void {
    this.#headerFilled = 0
    this.#payload = undefined
    this.#payloadFilled = 0
    this.#countFrame(now)
    const type = typeOf(this.#header[2])
    if (type === undefined) return
    frames.push(codecs[type].decode(payload))
    this.#onFrame(type, headerBytes + payload.length)
  }

  /** Ignored frames count as well. */
  #countFrame(now: number): void {
    if (now - this.#windowStart >= windowMs) {
      this.#windowStart = now
      this.#framesInWindow = 0
    }
    this.#framesInWindow += 1
    if (this.#framesInWindow > limits.framesPerSecond) throw new FrameRefusedError('more frames than allowed', true, [])
  }

  #refuse(error: MeshError<'MESH_FRAME_INVALID'>, frames: readonly Frame[]): FrameRefusedError {
    this.#refusalReason ??= `after an earlier refusal (${error.detail.reason})`
    this.#payload = undefined
    this.#headerFilled = 0
    return new FrameRefusedError(error.detail.reason, error instanceof FrameRefusedError && error.isFlood, frames)
  }
}

function typeOf(code: number | undefined): FrameType | undefined {
  return frameTypes.find((type) => codecs[type].code === code)
}
