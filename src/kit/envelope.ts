import { MeshError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { TraceRef } from '../core/trace.ts'
import { ByteReader, traceToBytes, u64 } from './bytes.ts'

/** Makes a traced message the same message at both ends. */
export interface Stamp {
  /** Of its publisher, never used twice: with the publisher's peer id it names the message. */
  readonly sequence: bigint
  /** Unix milliseconds by the publisher's clock. */
  readonly sentAt: number
}

/** What the application publishes, and where in a trace it was published. */
export interface Message {
  readonly body: Uint8Array
  /** The publisher's `mesh.message.published`: to be linked to, not to be a child of. */
  readonly trace?: TraceRef
  readonly stamp?: Stamp
  /** The same message is also on its way into other meshes. */
  readonly crossing?: boolean
}

/**
 * Gossip messages have no headers, so the trace travels in front of the body: 4 bytes magic, u8 version, u8 flags,
 * 24 bytes trace if flagged, u64 sequence and u48 Unix milliseconds if flagged, body. No UTF-8 text begins with 0xf5: what does not begin with the magic was published by
 * somebody who knows nothing of this, and is a body as it stands.
 */
const magic = Uint8Array.of(0xf5, 0x74, 0x6d, 0x65)
const version = 1
const crossingFlag = 1
const traceFlag = 2
const stampFlag = 4
const allFlags = crossingFlag | traceFlag | stampFlag
const timeBytes = 6
/** Longest form that `encodeMessage` puts in front of a body. */
export const envelopeBytes = magic.length + 2 + 24 + 8 + timeBytes

/**
 * The payload to publish. A body is wrapped even when there is nothing to say of it, or one that begins with the magic
 * would be misread. Throws `MESH_MESSAGE_TOO_LARGE` for a body of more than `limitBytes`.
 */
export function encodeMessage(message: Message, limitBytes: number = limits.messageBytes): Uint8Array {
  const { body, trace, stamp, crossing = false } = message
  if (body.length > limitBytes) {
    throw new MeshError('MESH_MESSAGE_TOO_LARGE', { bytes: body.length, limit: limitBytes })
  }
  const flags = (crossing ? crossingFlag : 0) | (trace ? traceFlag : 0) | (stamp ? stampFlag : 0)
  const traced = trace === undefined ? new Uint8Array(0) : traceToBytes(trace)
  const stamped = stamp === undefined ? new Uint8Array(0) : stampToBytes(stamp)
  return Uint8Array.from(Buffer.concat([magic, Uint8Array.of(version, flags), traced, stamped, body]))
}

function stampToBytes({ sequence, sentAt }: Stamp): Uint8Array {
  const time = Buffer.alloc(timeBytes)
  time.writeUIntBE(Math.max(0, Math.trunc(sentAt)), 0, timeBytes)
  return Buffer.concat([u64(sequence), time])
}

/**
 * The message in a payload; its body is a view of it. Throws `MESH_MESSAGE_INVALID` for a payload that begins with
 * the magic and is cut short, or is of a later version.
 */
export function decodeMessage(bytes: Uint8Array): Message {
  if (!magic.every((byte, at) => bytes[at] === byte)) return { body: bytes }
  const reader = new ByteReader(bytes.subarray(magic.length))
  const theirs = reader.u8()
  if (theirs !== version) throw new MeshError('MESH_MESSAGE_INVALID', { reason: `it is of version ${theirs}` })
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
