import { MeshError } from '../core/errors.ts'
import type { CloseReason, Digest, Frame, FrameType } from '../core/frames.ts'
import { limits } from '../core/limits.ts'
import { formatTraceparent, parseTraceparent } from '../core/trace.ts'
import {
  fitDigest,
  helloOnWire,
  parseDialBackRequest,
  parseDialBackResult,
  parseDigest,
  parseHello,
} from './wire-schemas.ts'

/** The payload behind a frame's header, for each type of frame. */

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
}
const reasons = Object.keys(reasonCodes) as CloseReason[]

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const emptyPayload = new Uint8Array(0)

/**
 * A digest as JSON: the payload of its frame and of its gossip message. It omits values that other nodes would refuse,
 * and topics until the payload fits a frame.
 */
export function encodeDigest(digest: Digest): Uint8Array {
  let fitted = fitDigest(digest)
  let bytes = encoder.encode(JSON.stringify(fitted))
  while (bytes.length > limits.frameBytes && fitted.topics.length > 0) {
    fitted = { ...fitted, topics: fitted.topics.slice(0, fitted.topics.length >> 1) }
    bytes = encoder.encode(JSON.stringify(fitted))
  }
  return bytes
}

/** Throws `MESH_FRAME_INVALID` for anything that is not a digest. */
export function decodeDigest(bytes: Uint8Array): Digest {
  if (bytes.length > limits.frameBytes) throw refusal(`a digest of ${bytes.length} bytes`)
  return parseDigest(json(bytes))
}

export function encodePayload(frame: Frame): Uint8Array {
  switch (frame.type) {
    case 'hello':
      return encoder.encode(JSON.stringify(helloOnWire(frame.hello)))
    case 'digest':
      return encodeDigest(frame.digest)
    case 'unchanged':
      return encodeUnchanged(frame.incarnation, frame.sequence)
    case 'goodbye':
      return Uint8Array.of(reasonCodes[frame.reason], ...encoder.encode(formatTraceparent(frame.trace)))
    case 'dialback.request':
      return encoder.encode(JSON.stringify(frame.request))
    case 'dialback.result':
      return encoder.encode(JSON.stringify(frame.result))
    case 'probe':
    case 'answer':
      return emptyPayload
  }
}

/** Throws `MESH_FRAME_INVALID`. The result shares no memory with `payload`. */
export function decodePayload(type: FrameType, payload: Uint8Array): Frame {
  switch (type) {
    case 'hello':
      return { type, hello: parseHello(json(payload)) }
    case 'digest':
      return { type, digest: decodeDigest(payload) }
    case 'unchanged':
      return decodeUnchanged(payload)
    case 'goodbye':
      return decodeGoodbye(payload)
    case 'dialback.request':
      return { type, request: parseDialBackRequest(json(payload)) }
    case 'dialback.result':
      return { type, result: parseDialBackResult(json(payload)) }
    case 'probe':
    case 'answer':
      if (payload.length !== 0) throw refusal(`${type} with a payload`)
      return { type }
  }
}

export function refusal(reason: string): MeshError<'MESH_FRAME_INVALID'> {
  return new MeshError('MESH_FRAME_INVALID', { reason })
}

/** Deep nesting is harmless: V8 parses without recursion, and the schemas read only known fields. */
function json(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes))
  } catch {
    throw refusal('not JSON in UTF-8')
  }
}

function encodeUnchanged(incarnation: number, sequence: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(16))
  view.setBigUint64(0, BigInt(incarnation))
  view.setBigUint64(8, BigInt(sequence))
  return new Uint8Array(view.buffer)
}

function decodeUnchanged(payload: Uint8Array): Frame {
  if (payload.length !== 16) throw refusal(`unchanged of ${payload.length} bytes`)
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length)
  const incarnation = Number(view.getBigUint64(0))
  const sequence = Number(view.getBigUint64(8))
  if (Number.isSafeInteger(incarnation) && Number.isSafeInteger(sequence)) {
    return { type: 'unchanged', incarnation, sequence }
  }
  throw refusal('unchanged beyond safe integers')
}

/** A goodbye with an unknown reason, of a later version, is still a goodbye. */
function decodeGoodbye(payload: Uint8Array): Frame {
  const reason = reasons.find((name) => reasonCodes[name] === payload[0]) ?? 'unknown'
  const trace = parseTraceparent(String.fromCharCode(...payload.subarray(1, 64)))
  if (trace === undefined || payload.length >= 64) throw refusal('goodbye without a traceparent')
  return { type: 'goodbye', reason, trace }
}
