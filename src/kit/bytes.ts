import { MeshError } from '../core/errors.ts'
import { formatTraceparent, parseTraceparent, type TraceRef } from '../core/trace.ts'

/** Bytes of a trace id and a span id without their text form. */
export const traceBytes = 24

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
