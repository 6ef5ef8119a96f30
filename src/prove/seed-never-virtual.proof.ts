import { SimMesh, type Told } from '../testing/sim-mesh.ts'
import type { Proof } from './proof.ts'
import { isSeedSpan, type SeedSpan, unansweredChecks, unansweredFigures } from './unanswered.ts'

const watchedMs = 360_000
/** Simulated QUIC gives up a port where nobody answers after its idle timeout. */
const attemptMs = 10_000

/** The simulator notes when a span was told, not when what it tells of began. */
function asSpan({ span, at, ref, parent, links, attributes }: Told): SeedSpan {
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

export const proof: Proof = {
  name: 'seed-never-virtual',
  about:
    'simulated: a seed that never comes costs nine retries with growing waits, one give-up, then one attempt each 30 s',
  quick: true,
  seconds: 1,
  async run({ seed, progress }) {
    const mesh = new SimMesh({ seed, names: ['seed', 'node'] })
    try {
      await mesh.start('node', { seeds: [mesh.addressOf('seed')] })
      progress(`one node, ${watchedMs / 1_000} s of virtual time`)
      mesh.run(watchedMs)
      const spans = mesh.told.map(asSpan).filter(isSeedSpan)
      return { figures: unansweredFigures(spans), checks: unansweredChecks(spans) }
    } finally {
      mesh.close()
    }
  },
}
