import { type EmittedSpan, SimMesh } from '../../testing/sim-mesh.ts'
import { isSeedSpan, type SeedSpan } from './no-answer.ts'

/** Simulated QUIC gives up a port where nobody answers after its idle timeout, in milliseconds. */
const attemptMs = 10_000

/** What one simulated node tells of its only seed within `watchedMs` of virtual time; nobody ever is where it dials. */
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

/** The simulator notes when a span was told, not when what it tells of began. */
function asSpan({ span, at, ref, parent, links, attributes }: EmittedSpan): SeedSpan {
  const { traceId = '', spanId = '' } = ref ?? {}
  const lastedMs = span === 'mesh.seed.retry' || span === 'mesh.seed.giveup' ? attemptMs : 0
  return {
    name: span,
    traceId: parent?.traceId ?? traceId,
    spanId,
    parentSpanId: parent?.spanId ?? '',
    links,
    startMs: at - lastedMs,
    endMs: at,
    attributes,
  }
}
