import { Session } from 'node:inspector/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { MeshError } from '../core/errors.ts'
import type { Owner } from '../core/owner.ts'
import { startCpu } from './cpu.ts'
import { startHeap } from './heap.ts'
import { pprofFile, type Recorded } from './pprof-file.ts'

/** Begins to record; what it gives ends that, and says what was recorded. */
export type Start = (session: Session) => Promise<() => Promise<Recorded>>

const starts = { cpu: startCpu, heap: startHeap } as const satisfies Record<string, Start>
export type ProfileKind = keyof typeof starts

/** Profiles this process with V8's own profilers, one profile at a time: two would measure each other. */
export class Profiler {
  readonly #owner: Owner
  #running: { readonly kind: ProfileKind; readonly seconds: number } | undefined

  constructor(owner: Owner) {
    this.#owner = owner
  }

  /**
   * A gzipped pprof file of the next `seconds`. Rejects with MESH_PROFILE_RUNNING while another is taken, and as soon as
   * `signal` aborts. A profile that nobody waits for any more is ended at once, and nothing of it is kept.
   */
  async take(kind: ProfileKind, seconds: number, signal: AbortSignal): Promise<Uint8Array> {
    if (this.#running !== undefined) throw new MeshError('MESH_PROFILE_RUNNING', this.#running)
    const session = new Session()
    // Without a session V8 records nothing: to disconnect is all that it takes to end a profile, whatever its state.
    const end = this.#owner.adopt(`${kind} profile`, () => session.disconnect())
    this.#running = { kind, seconds }
    try {
      session.connect()
      const beganMs = Date.now()
      const stop = await starts[kind](session)
      await sleep(seconds * 1_000, undefined, { signal })
      return await pprofFile(await stop(), beganMs, seconds * 1_000)
    } finally {
      this.#running = undefined
      await end()
    }
  }
}
