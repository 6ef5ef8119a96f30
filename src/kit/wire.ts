import { MeshError } from '../core/errors.ts'
import type { Frame, FrameType } from '../core/frames.ts'
import { limits } from '../core/limits.ts'
import { decodePayload, encodePayload, refusal } from './wire-payloads.ts'

/**
 * Frames of the link stream: u16 payload length (big-endian), u8 type, payload.
 *
 * Types from 16 to 127 are reserved. A node refuses unknown types below 128 and ignores those from 128 on, so
 * that a later version can send hints to an earlier one.
 */
const typeCodes: Record<FrameType, number> = {
  hello: 1,
  digest: 2,
  unchanged: 3,
  probe: 4,
  answer: 5,
  goodbye: 6,
  'dialback.request': 128,
  'dialback.result': 129,
}
const types = Object.keys(typeCodes) as FrameType[]
const ignoredFrom = 128
const headerBytes = 3
const windowMs = 1_000

/** Encodes one frame. Throws `MESH_FRAME_INVALID` for a payload longer than `limits.frameBytes`. */
export function encodeFrame(frame: Frame): Uint8Array {
  const payload = encodePayload(frame)
  if (payload.length > limits.frameBytes) throw refusal(`a ${frame.type} of ${payload.length} bytes is too long`)
  const bytes = new Uint8Array(headerBytes + payload.length)
  new DataView(bytes.buffer).setUint16(0, payload.length)
  bytes[2] = typeCodes[frame.type]
  bytes.set(payload, headerBytes)
  return bytes
}

export type FrameLimits = { readonly [K in 'frameBytes' | 'framesPerSecond']: number }

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
  readonly #limits: FrameLimits
  readonly #header = new Uint8Array(headerBytes)
  #headerFilled = 0
  /** Undefined until the header is complete. */
  #payload: Uint8Array | undefined
  #payloadFilled = 0
  #windowStart = Number.NEGATIVE_INFINITY
  #framesInWindow = 0
  #refusalReason: string | undefined

  /** Calls `onFrame` for each valid frame, with its bytes on the wire. */
  constructor(onFrame: (type: FrameType, bytes: number) => void = () => {}, frameLimits: FrameLimits = limits) {
    this.#onFrame = onFrame
    this.#limits = frameLimits
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
    if (length > this.#limits.frameBytes) throw refusal(`a frame of ${length} bytes is too long`)
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
    frames.push(decodePayload(type, payload))
    this.#onFrame(type, headerBytes + payload.length)
  }

  /** Ignored frames count as well. */
  #countFrame(now: number): void {
    if (now - this.#windowStart >= windowMs) {
      this.#windowStart = now
      this.#framesInWindow = 0
    }
    this.#framesInWindow += 1
    if (this.#framesInWindow > this.#limits.framesPerSecond)
      throw new FrameRefusedError('more frames than allowed', true, [])
  }

  #refuse(error: MeshError<'MESH_FRAME_INVALID'>, frames: readonly Frame[]): FrameRefusedError {
    this.#refusalReason ??= `after an earlier refusal (${error.detail.reason})`
    this.#payload = undefined
    this.#headerFilled = 0
    return new FrameRefusedError(error.detail.reason, error instanceof FrameRefusedError && error.isFlood, frames)
  }
}

function typeOf(code: number | undefined): FrameType | undefined {
  return types.find((type) => typeCodes[type] === code)
}
