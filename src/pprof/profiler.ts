import { Session } from 'node:inspector/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { MeshError } from '../core/errors.ts'
import type { Owner } from '../core/owner.ts'
import { startCpu } from './cpu.ts'
import { startHeap } from './heap.ts'
import { encodePprof, type Recording } from './pprof-file.ts'

/** Starts a recording; the returned function stops it and returns the result. */
export type StartRecording = (session: Session) => Promise<() => Promise<Recording>>

const recorders = { cpu: startCpu, heap: startHeap } as const satisfies Record<string, StartRecording>
export type ProfileKind = keyof typeof recorders

/** Profiles this process with V8's own profilers, one profile at a time: two would measure each other. */
export class Profiler {
  readonly #owner: Owner
  #running: { readonly kind: ProfileKind; readonly seconds: number } | undefined

  constructor(owner: Owner) {
    this.#owner = owner
  }

  /**
   * Records the next `seconds` as a gzipped pprof file. Rejects with MESH_PROFILE_RUNNING while another profile runs.
   * If `signal` aborts, the profile stops at once, and the promise rejects.
   */
  async take(kind: ProfileKind, seconds: number, signal: AbortSignal): Promise<Uint8Array> {
    if (this.#running !== undefined) throw new MeshError('MESH_PROFILE_RUNNING', this.#running)
    const session = new Session()
    // V8 records only with a session: disconnecting ends a profile in every state.
    const disconnect = this.#owner.adopt(`${kind} profile`, () => session.disconnect())
    this.#running = { kind, seconds }
    try {
      session.connect()
      const startMs = Date.now()
      const stop = await recorders[kind](session)
      await sleep(seconds * 1_000, undefined, { signal })
      return await encodePprof(await stop(), startMs, seconds * 1_000)
    } finally {
      this.#running = undefined
      await disconnect()
    }
  }
}
