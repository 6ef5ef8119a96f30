import type { FrameType } from '../core/frames.ts'

export interface FrameCount {
  in: number
  out: number
  bytesIn: number
  bytesOut: number
}

/** Frames on the link streams of this node since its start, by type. */
export class FrameCounters {
  readonly byType: Readonly<Record<FrameType, FrameCount>> = {
    hello: zeroCount(),
    digest: zeroCount(),
    unchanged: zeroCount(),
    probe: zeroCount(),
    answer: zeroCount(),
    goodbye: zeroCount(),
    'dialback.request': zeroCount(),
    'dialback.result': zeroCount(),
  }
  /** Chunks with a refused frame: each ended its stream. */
  refused = 0
  /** Frames not sent for lack of a stream. */
  dropped = 0

  countSent(type: FrameType, bytes: number): void {
    const count = this.byType[type]
    count.out++
    count.bytesOut += bytes
  }

  countReceived(type: FrameType, bytes: number): void {
    const count = this.byType[type]
    count.in++
    count.bytesIn += bytes
  }
}

function zeroCount(): FrameCount {
  return { in: 0, out: 0, bytesIn: 0, bytesOut: 0 }
}

export interface NetworkCounts {
  readonly frames: Readonly<Record<FrameType, Readonly<FrameCount>>>
  /** Refused frames: each ended its stream. */
  readonly framesRefused: number
  /** Frames not sent for lack of a stream. */
  readonly framesDropped: number
  readonly gossipRefused: number
  readonly gossipUnpublished: number
  /** Crossings that arrived faster than the node could verify their seals. */
  readonly crossingsDropped: number
}
