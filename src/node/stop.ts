import type { CloseStep, Owner } from '../core/owner.ts'
import { systemClock } from '../kit/clock.ts'
import type { TracemeshService } from '../kit/service.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'

/**
 * Splits the time of an ordered stop, in milliseconds: HTTP servers close at once, libp2p needs time for its goodbyes.
 * `http` applies to each server.
 */
export function splitStopTime(stopMs: number, servers: number): { readonly http: number; readonly libp2p: number } {
  const http = Math.round(stopMs / 10)
  return { http, libp2p: stopMs - servers * http }
}

/** Time for the last span export after the node has stopped, in milliseconds. */
export const flushMs = 2_000
/** Reserved for the last log line and the exit of the process. Guess. */
const marginMs = 300

export interface StopOptions {
  readonly owner: Owner
  readonly mesh: TracemeshService
  readonly telemetry: Telemetry
  readonly cause: string
  readonly uptimeMs: number
  /** From now to the end of the process, milliseconds. */
  readonly withinMs: number
}

/** Stops a node in order, emits a span for each step, then flushes the spans. Rejects after all steps if one failed. */
export async function stopNode({ owner, mesh, telemetry, cause, uptimeMs, withinMs }: StopOptions): Promise<void> {
  const deadline = systemClock.now() + withinMs - marginMs
  const ownerSteps = await owner.close()
  const steps = ownerSteps.flatMap((step): CloseStep[] =>
    step.name === 'libp2p' ? [...meshSteps(step, mesh), step] : [step],
  )
  mesh.emitStopped(telemetry, cause, uptimeMs, steps)
  await telemetry.close(Math.max(0, Math.min(flushMs, deadline - systemClock.now())))
  const failedSteps = steps.filter((step) => step.error !== undefined)
  if (failedSteps.length > 0) throw new Error(failedSteps.map(({ name, error }) => `${name}: ${error}`).join('; '))
}

/** The close steps of the mesh service, which run inside `libp2p.stop()`. */
function meshSteps({ name }: CloseStep, { closed }: TracemeshService): CloseStep[] {
  return closed.map((step) => ({ ...step, name: `${name}/${step.name}` }))
}
