import { randomInt } from 'node:crypto'
import { MeshError } from '../core/errors.ts'
import { Lab } from '../lab/lab.ts'
import { labTopic, missingSeedMs } from '../lab/plan.ts'
import { until } from '../processes/waiting.ts'
import type { SoakOptions } from './flags.ts'
import type { SoakTarget } from './target.ts'

/** From the start of the last node until all of them run, on a busy machine. Guess. */
const runningMs = 120_000

/** Starts a lab of one mesh for a soak, and resolves once all its nodes run. */
export async function startOwnLab(
  { nodes, otlp, query }: Pick<SoakOptions, 'nodes' | 'otlp' | 'query'>,
  log: (text: string) => void,
  signal: AbortSignal,
): Promise<SoakTarget> {
  const size = { nodes, meshes: 1, bridges: 0 }
  log(`starting a lab of ${nodes} nodes, one of them ${missingSeedMs / 1_000} s late`)
  const lab = await Lab.start({ ...size, seed: randomInt(2 ** 32), otlp, query, profiles: true, log })
  const close = async () => (await lab.stop('the soak has ended')).problems
  try {
    const isRunning = () => lab.nodes().every(({ state, addresses }) => state === 'running' && addresses.length > 0)
    await until(isRunning, missingSeedMs + runningMs, 'all nodes of the lab run', signal)
  } catch (error) {
    await close()
    signal.throwIfAborted()
    throw new MeshError('MESH_LAB_REFUSED', { what: 'the lab of the soak', why: String(error) }, { cause: error })
  }
  return {
    what: `a lab of ${nodes} nodes`,
    mesh: lab.nodes()[0]?.meshes[0] ?? '',
    addresses: lab.nodes().flatMap(({ addresses }) => addresses.slice(0, 1)),
    topic: labTopic,
    hasListeners: true,
    traces: lab.query ?? '',
    otlp: lab.otlp,
    entry: lab.entry,
    collectGarbage: (during) => lab.collectGarbage(during),
    close,
  }
}
