import { setTimeout as sleep } from 'node:timers/promises'
import type { Diagnosis } from '../doctor/diagnose.ts'
import type { Look, StoreFollower } from '../doctor/report/follower.ts'
import type { LifeCount } from './churn.ts'
import { type Reading, readingOf } from './reading.ts'
import type { SoakTarget } from './target.ts'
import { isLeakFound, leakText } from './verdict.ts'

/** A census is every 30 s, and has the floor of the last collection. */
const observeMs = 30_000

/** What a reading of a soak has, beside the counts of the censuses. */
export interface Snapshot {
  readonly reading: Reading
  readonly lives: number
  readonly failed: number
}

/** Reads the traces again and again, and says when the doctor sees a leak for the first time. */
export class SoakObserver {
  readonly #target: SoakTarget
  readonly #watch: StoreFollower
  readonly #log: (text: string) => void
  #reading: Promise<Look | undefined> = Promise.resolve(undefined)
  #said: readonly string[] = []

  constructor(target: SoakTarget, watch: StoreFollower, log: (text: string) => void) {
    this.#target = target
    this.#watch = watch
    this.#log = log
  }

  /** Until the abort; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#target.collectGarbage(signal).catch(() => {})
      await this.read(signal).catch(() => {})
      await sleep(observeMs, undefined, { signal }).catch(() => {})
    }
  }

  /** Reads the newest spans. Rejects only if the signal aborts. */
  async read(signal: AbortSignal): Promise<void> {
    // One reading at a time.
    this.#reading = this.#reading.catch(() => {}).then(() => this.#watch.look(signal))
    const look = await this.#reading
    if (look?.state === 'read') this.#sayLeaks(look.examination.diagnosis)
  }

  async snapshot(count: LifeCount, signal: AbortSignal): Promise<Snapshot> {
    await this.read(signal)
    const { lives, failed } = count
    return { reading: readingOf(this.#watch.evidence(), this.#target.mesh, Date.now()), lives, failed }
  }

  #sayLeaks({ findings }: Diagnosis): void {
    for (const leak of findings.filter(isLeakFound)) {
      const key = `${leak.disease} ${leak.owner.instance} ${leak.owner.part}`
      if (this.#said.includes(key)) continue
      this.#said = [...this.#said, key]
      this.#log(`the doctor sees ${leakText(leak)}`)
    }
  }
}
