import { type EmittedSpan, SimMesh } from '../../testing/sim/sim-mesh.ts'
import { isSeedSpan, type SeedSpan } from './no-answer.ts'

/** Simulated QUIC gives up a port without a listener after its idle timeout, in milliseconds. */
const attemptMs = 10_000

/** Seed spans of one simulated node within `watchedMs` of virtual time; its only seed never answers. */
export async function simulateNoAnswer(seed: number, watchedMs: number): Promise<SeedSpan[]> {
  const mesh = new SimMesh({ seed, names: ['seed', 'node'] })
  try {
    await mesh.start('node', { seeds: [mesh.addressOf('seed')] })
    mesh.run(watchedMs)
    return mesh.spans.map(asSpan).filter(isSeedSpan)
  } finally {
    mesh.close()
  }
}

/** The simulator records when a span was emitted, not when it began. */
function asSpan({ span, at, ref, parent, links, attributes }: EmittedSpan): SeedSpan {
  const { traceId = '', spanId = '' } = ref ?? {}
  const durationMs = span === 'mesh.seed.retry' || span === 'mesh.seed.giveup' ? attemptMs : 0
  return {
    name: span,
    traceId: parent?.traceId ?? traceId,
    spanId,
    parentSpanId: parent?.spanId ?? '',
    links,
    startMs: at - durationMs,
    endMs: at,
    attributes,
  }
}
