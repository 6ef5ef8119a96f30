import type { Libp2p } from '@libp2p/interface'
import { MeshError } from '../core/errors.ts'
import type { Owner } from '../core/owner.ts'
import { countHandles, type Handles, releaseNativeSockets, surplus } from '../evidence/process-handles.ts'
import { systemClock } from '../kit/clock.ts'
import type { TracemeshService } from '../kit/service.ts'
import { type Closing, heldBy, type StopReport, stopAccount, stopProblems } from '../kit/stop-report.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'

/** Time for the last span export after the node has stopped, in milliseconds. */
export const flushMs = 2_000
/** Reserved for the last log line and the exit of the process. Guess. */
const marginMs = 500

/** Shares of libp2p's time: for its own stop, and until the node gives up to release the rest itself. Guess. */
const shares = { own: 0.75, forced: 0.9 }

/**
 * Stops libp2p, and releases what is left when that fails or takes too long: then it rejects. `limitMs`: for all of it.
 */
export async function stopLibp2p(libp2p: Libp2p<{ tracemesh: TracemeshService }>, limitMs: number): Promise<void> {
  const [own, forced] = [limitAfter(shares.own * limitMs), limitAfter(shares.forced * limitMs)]
  try {
    await Promise.race([libp2p.stop(), own.passed])
  } catch (error) {
    await Promise.race([libp2p.services.tracemesh.forceStop(), forced.passed]).catch(() => {})
    throw error
  } finally {
    own.cancel()
    forced.cancel()
  }
}

function limitAfter(limitMs: number) {
  const ms = Math.round(limitMs)
  const { promise: passed, reject } = Promise.withResolvers<never>()
  const cancel = systemClock.after(ms, () => reject(new MeshError('MESH_STEP_TIMEOUT', { step: 'libp2p', ms })))
  // Without it a limit that passes while nothing waits for it would be an unhandled rejection.
  passed.catch(() => {})
  return { passed, cancel }
}

interface StopOptions {
  readonly owner: Owner
  readonly mesh: TracemeshService
  readonly telemetry: Telemetry
  readonly cause: string
  readonly startedAt: number
  /** Handles of the process before the start. */
  readonly handlesBefore: Handles
  /** From now to the end of the process, milliseconds. */
  readonly withinMs: number
}

/**
 * Stops a node in order, emits a span for each step, then flushes the spans. Rejects after all steps if one failed or did
 * not run, or if the node still holds anything.
 */
export async function stopNode(options: StopOptions): Promise<void> {
  const { owner, mesh, telemetry, cause, startedAt, handlesBefore, withinMs } = options
  const began = systemClock.now()
  const planned = owner.plannedSteps()
  await owner.close()
  const { steps, expected, held } = stopAccount(closingOf(owner, planned, mesh))
  releaseNativeSockets()
  const now = systemClock.now()
  const report: StopReport = {
    cause,
    uptimeMs: began - startedAt,
    tookMs: now - began,
    steps,
    expected,
    held: [...held, ...mesh.heldByLibp2p()],
    left: surplus(handlesBefore, countHandles()),
  }
  await mesh.emitStopped(telemetry, report)
  await telemetry.close(Math.max(0, Math.min(flushMs, began + withinMs - marginMs - now)))
  const problems = stopProblems(report)
  if (problems.length > 0) throw new Error(problems.join('; '))
}

/** Joins the steps of the mesh service, which run inside `libp2p.stop()`, with those of the node. */
function closingOf(owner: Owner, planned: readonly string[], { closing }: TracemeshService): Closing {
  const inner = (name: string) => `libp2p/${name}`
  const insert = <T>(items: readonly T[], nested: readonly T[], isLibp2p: (item: T) => boolean) => {
    const index = items.findIndex(isLibp2p)
    return index < 0 ? [...items, ...nested] : items.toSpliced(index, 0, ...nested)
  }
  const meshSteps = closing.steps.map((step) => ({ ...step, name: inner(step.name) }))
  return {
    planned: insert(planned, closing.planned.map(inner), (name) => name === 'libp2p'),
    steps: insert(owner.closeSteps, meshSteps, ({ name }) => name === 'libp2p'),
    held: [...closing.held.map(inner), ...heldBy(owner)],
  }
}
