import type { Frame, FrameType } from '../core/frames.ts'
import { helloOnWire } from './wire-schemas.ts'

const headerBytes = 3

export interface FrameCount {
  in: number
  out: number
  bytesIn: number
  bytesOut: number
}

/** Frames that went over the link streams of this node, by type, since it started. */
export class FrameCounters {
  readonly byType: Readonly<Record<FrameType, FrameCount>> = {
    hello: none(),
    digest: none(),
    unchanged: none(),
    probe: none(),
    answer: none(),
    goodbye: none(),
  }
  /** Chunks in which something was refused: each ended its stream. */
  refused = 0
  /** Not sent, since there was no stream for them. */
  dropped = 0

  sent(type: FrameType, bytes: number): void {
    const count = this.byType[type]
    count.out++
    count.bytesOut += bytes
  }

  /** Its bytes are those we would write for it: how a peer spaces its JSON is not counted. */
  received(frame: Frame): void {
    const count = this.byType[frame.type]
    count.in++
    count.bytesIn += sizeOf(frame)
  }
}

function sizeOf(frame: Frame): number {
  switch (frame.type) {
    case 'hello':
      return headerBytes + jsonBytes(helloOnWire(frame.hello))
    case 'digest':
      return headerBytes + jsonBytes(frame.digest)
    case 'unchanged':
      return headerBytes + 16
    case 'goodbye':
      return headerBytes + 56
    case 'probe':
    case 'answer':
      return headerBytes
  }
}

function jsonBytes(value: object): number {
  return Buffer.byteLength(JSON.stringify(value))
}

function none(): FrameCount {
  return { in: 0, out: 0, bytesIn: 0, bytesOut: 0 }
}
