import type { CloseStep, Owner } from '../core/owner.ts'
import { systemClock } from '../kit/clock.ts'
import type { Tracemesh } from '../kit/index.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'

/**
 * How an ordered stop’s time is shared out, in milliseconds: what is served over HTTP ends at once, goodbyes take what
 * they take. `http` is for each of the servers.
 */
export function splitStopTime(stopMs: number, servers: number): { readonly http: number; readonly libp2p: number } {
  const http = Math.round(stopMs / 10)
  return { http, libp2p: stopMs - servers * http }
}

/** What is still to be exported may take this long, in milliseconds, once the node has stopped. */
export const flushMs = 2_000
/** Of the process’s time, for its last line and its exit. Guess. */
const marginMs = 300

export interface StopOptions {
  readonly owner: Owner
  readonly mesh: Tracemesh
  readonly telemetry: Telemetry
  readonly cause: string
  readonly uptimeMs: number
  /** From now to the end of the process, milliseconds. */
  readonly withinMs: number
}

/** Stops a node in order, tells each step, then exports what is left. Rejects when a step failed, after all of them. */
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

/** The steps of the mesh service, which libp2p stops. */
function meshSteps({ name }: CloseStep, { closed }: Tracemesh): CloseStep[] {
  return closed.map((step) => ({ ...step, name: `${name}/${step.name}` }))
}
