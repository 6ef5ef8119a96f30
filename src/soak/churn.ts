import { Series } from '../doctor/evidence/series.ts'
import { nodeCommand, nodeEnvironment } from '../processes/node-program.ts'
import { type CrowdResult, runCrowd } from './lives/crowd.ts'
import type { SoakTarget } from './target.ts'

/** A process of lives that is killed lives about so long, seconds. */
const killedAfter = 15
const mostKilled = 25
/** libp2p nodes that come and go in one process slow it down after some thousands. */
const livesPerProcess = 500

/** The lives of a soak so far. */
export class LifeCount {
  /** Their number over time. */
  readonly series = new Series({ atMs: Date.now(), value: 0 })
  lives = 0
  failed = 0
  /** Reasons of the first failures. */
  failures: readonly string[] = []

  add(failure: string): void {
    this.series.note(Date.now(), ++this.lives)
    if (failure === '') return
    this.failed++
    if (this.failures.length < 5) this.failures = [...this.failures, failure]
  }
}

/** Lets lives join, talk and leave for so many seconds. */
export function churn(
  target: Pick<SoakTarget, 'addresses' | 'entry' | 'mesh' | 'topic' | 'hasListeners'>,
  { rate, seconds }: { readonly rate: number; readonly seconds: number },
  count: LifeCount,
  signal: AbortSignal,
): Promise<CrowdResult> {
  const { addresses, entry, mesh, topic, hasListeners } = target
  const settings = { MESH_ID: mesh, MESH_TOPIC: topic, MESH_LISTENERS: hasListeners ? '1' : '' }
  return runCrowd(
    (args) => {
      const [command = '', ...rest] = nodeCommand(entry, ['soak', 'lives', ...args])
      return { command, args: rest, env: { ...nodeEnvironment(), ...settings } }
    },
    {
      hub: addresses,
      events: Math.max(1, Math.round(rate * seconds)),
      rate,
      seconds,
      livesPerProcess,
      killed: Math.min(mostKilled, Math.max(1, Math.round((rate / 3) * killedAfter))),
      onLife: (failure) => count.add(failure),
      signal,
    },
  )
}

/** The lives of one process, which `churn` starts. */
export async function runLivesProcess(args: readonly string[]): Promise<void> {
  const { runKitLives } = await import('./lives/kit-lives.ts')
  const { MESH_ID: mesh = '', MESH_TOPIC: topic = '', MESH_LISTENERS: listeners = '' } = process.env
  await runKitLives({ mesh, topic, hasListeners: listeners !== '' }, args)
}
