import { MeshError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { formatTraceparent, parseTraceparent, type TraceRef } from '../../core/trace.ts'

/** Identifies a traced message at both ends. */
export interface Stamp {
  /** Unique per publisher: with the publisher's peer id it identifies the message. */
  readonly sequence: bigint
  /** Unix milliseconds by the publisher's clock. */
  readonly sentAt: number
}

/** The payload of a gossip message: header and body. */
export interface Message {
  readonly body: Uint8Array
  /** The sampled span of the publish. */
  readonly trace?: TraceRef
  readonly stamp?: Stamp
  /** The publisher also sends the message into other meshes. */
  readonly crossing?: boolean
}

/**
 * Gossip messages have no headers, so the payload has one in front of the body, integers big-endian:
 *
 *     offset  bytes
 *     0       4      magic f5 74 6d 65; no UTF-8 text begins with f5
 *     4       1      version, 1
 *     5       1      flags: 1 crossing, 2 trace, 4 stamp; the others are zero
 *     6       16+8   trace id and span id, if flagged; the span is sampled
 *     ..      8+6    sequence and Unix milliseconds, if flagged
 *     ..      rest   the body
 *
 * A payload without the magic has no header: it is the body of a guest's or a raw message.
 */
const magic = Uint8Array.of(0xf5, 0x74, 0x6d, 0x65)
const version = 1
const crossingFlag = 1
const traceFlag = 2
const stampFlag = 4
const allFlags = crossingFlag | traceFlag | stampFlag
const timeBytes = 6
/** Longest header of `encodeMessage`. */
export const envelopeBytes = magic.length + 2 + 24 + 8 + timeBytes

/** Throws `MESH_MESSAGE_TOO_LARGE` for a body of more than `limitBytes`. */
export function checkSize(body: Uint8Array, limitBytes: number): void {
  if (body.length > limitBytes) {
    throw new MeshError('MESH_MESSAGE_TOO_LARGE', { bytes: body.length, limit: limitBytes })
  }
}

/**
 * The payload to publish. Every body gets a header, if only an empty one: readers would misread a body that begins with
 * the magic. Throws `MESH_MESSAGE_TOO_LARGE` for a body of more than `limitBytes`, and `MESH_MESSAGE_INVALID` for a
 * trace or a stamp that does not fit its bytes.
 */
export function encodeMessage(message: Message, limitBytes: number = limits.messageBytes): Uint8Array {
  const { body, trace, stamp, crossing = false } = message
  checkSize(body, limitBytes)
  const flags = (crossing ? crossingFlag : 0) | (trace ? traceFlag : 0) | (stamp ? stampFlag : 0)
  const traceHeader = trace === undefined ? new Uint8Array(0) : traceToBytes(trace)
  const stampHeader = stamp === undefined ? new Uint8Array(0) : stampToBytes(stamp)
  return Uint8Array.from(Buffer.concat([magic, Uint8Array.of(version, flags), traceHeader, stampHeader, body]))
}

function stampToBytes({ sequence, sentAt }: Stamp): Uint8Array {
  const ms = Math.max(0, Math.trunc(sentAt))
  if (BigInt.asUintN(64, sequence) !== sequence || !(ms < 2 ** (8 * timeBytes))) {
    throw new MeshError('MESH_MESSAGE_INVALID', { reason: `its stamp is ${sequence} at ${sentAt}` })
  }
  const time = Buffer.alloc(timeBytes)
  time.writeUIntBE(ms, 0, timeBytes)
  return Buffer.concat([u64(sequence), time])
}

/**
 * Decodes a payload; the body is a view of it. Throws `MESH_MESSAGE_INVALID` for a payload that begins with the magic
 * and is truncated or of a later version.
 */
export function decodeMessage(payload: Uint8Array): Message {
  if (!magic.every((byte, at) => payload[at] === byte)) return { body: payload }
  const reader = new ByteReader(payload.subarray(magic.length))
  const headerVersion = reader.u8()
  if (headerVersion !== version)
    throw new MeshError('MESH_MESSAGE_INVALID', { reason: `it is of version ${headerVersion}` })
  const flags = reader.u8()
  if ((flags & ~allFlags) !== 0) throw new MeshError('MESH_MESSAGE_INVALID', { reason: `it has flags ${flags}` })
  const trace = (flags & traceFlag) === 0 ? {} : { trace: reader.trace() }
  const stamp = (flags & stampFlag) === 0 ? {} : { stamp: readStamp(reader) }
  const crossing = (flags & crossingFlag) === 0 ? {} : { crossing: true }
  return { ...crossing, ...trace, ...stamp, body: reader.rest() }
}

function readStamp(reader: ByteReader): Stamp {
  const sequence = reader.u64()
  return { sequence, sentAt: Buffer.from(reader.take(timeBytes)).readUIntBE(0, timeBytes) }
}

/** Bytes of a trace id and a span id without their text form. */
const traceBytes = 24

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Throws `MESH_MESSAGE_INVALID` for ids that W3C trace context does not allow: every reader would reject them. */
export function traceToBytes(ref: TraceRef): Uint8Array {
  if (parseTraceparent(formatTraceparent(ref)) === undefined) {
    throw new MeshError('MESH_MESSAGE_INVALID', { reason: 'its trace ids are not valid in W3C trace context' })
  }
  return Uint8Array.from(Buffer.from(ref.traceId + ref.spanId, 'hex'))
}

/** UTF-8 behind its length in one byte. Throws `MESH_MESSAGE_INVALID` when it is longer than 255 bytes. */
export function shortText(text: string): Uint8Array {
  const bytes = encoder.encode(text)
  if (bytes.length > 255) throw new MeshError('MESH_MESSAGE_INVALID', { reason: `a name of ${bytes.length} bytes` })
  return Uint8Array.of(bytes.length, ...bytes)
}

/** Big-endian. */
export function u64(value: bigint): Uint8Array {
  const view = new DataView(new ArrayBuffer(8))
  view.setBigUint64(0, value)
  return new Uint8Array(view.buffer)
}

/** Reads from the front. Every method throws `MESH_MESSAGE_INVALID` for missing or malformed bytes. */
export class ByteReader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** A view, not a copy. */
  take(length: number): Uint8Array {
    const end = this.#at + length
    if (end > this.#bytes.length) throw new MeshError('MESH_MESSAGE_INVALID', { reason: 'it is cut short' })
    const bytes = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return bytes
  }

  rest(): Uint8Array {
    return this.take(this.#bytes.length - this.#at)
  }

  u8(): number {
    return this.take(1)[0] ?? 0
  }

  u64(): bigint {
    const bytes = this.take(8)
    return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0)
  }

  shortText(): string {
    const bytes = this.take(this.u8())
    try {
      return decoder.decode(bytes)
    } catch {
      throw new MeshError('MESH_MESSAGE_INVALID', { reason: 'a name is not UTF-8' })
    }
  }

  trace(): TraceRef {
    const hex = Buffer.from(this.take(traceBytes)).toString('hex')
    const ref = parseTraceparent(formatTraceparent({ traceId: hex.slice(0, 32), spanId: hex.slice(32) }))
    if (ref === undefined) throw new MeshError('MESH_MESSAGE_INVALID', { reason: 'a trace id is all zero' })
    return ref
  }
}
