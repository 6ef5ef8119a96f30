import { emitSpan, type SpanEffect } from '../../catalogue/span-effect.ts'

/** Counts of one sweep over libp2p's peer store. */
export interface SweepTally {
  before: number
  after: number
  /** Records that it looked at; the others wait for the next sweep. */
  judged: number
  removed: number
  probed: number
  compacted: number
  errors: number
  firstError: string
}

/** Emitted even if nothing was removed: missing sweeps are a symptom. */
export function emitPeerStoreSwept(
  mode: 'own' | 'all',
  tally: SweepTally,
  startedAt: number,
  durationMs: number,
): SpanEffect {
  return emitSpan(
    'mesh.peerstore.swept',
    {
      'mesh.peerstore.mode': mode,
      'mesh.peerstore.before': tally.before,
      'mesh.peerstore.judged': tally.judged,
      'mesh.peerstore.removed': tally.removed,
      'mesh.peerstore.after': tally.after,
      'mesh.peerstore.probed': tally.probed,
      'mesh.peerstore.compacted': tally.compacted,
      'mesh.peerstore.errors': tally.errors,
      'mesh.peerstore.duration_ms': Math.round(durationMs),
      ...(tally.errors > 0 && { 'mesh.error.message': tally.firstError }),
    },
    { since: startedAt, failed: tally.errors > 0 },
  )
}
