import type { TraceSpan } from '../../traces/trace.ts'
import { BoundedMap } from './bounded-map.ts'
import type { Instance } from './instance.ts'
import { Lifetime } from './lifetime.ts'

/** Processes of a day of a mesh in which several peers come and go each second. */
const maxLives = 65_536
/** A process that lives this long has four censuses, over which a trend is judged. */
const judgedMs = 90_000

/** Processes that found no room in the evidence, and how long they lived. */
export class OmittedLives {
  /** By `lifeKeyOf`. */
  readonly #lives = new BoundedMap<string, Lifetime>(maxLives)

  /** Number of processes. */
  get count(): number {
    return this.#lives.size + this.#lives.omitted
  }

  /** Whether one of them lived long enough to be judged, as far as that is known. */
  get hasLong(): boolean {
    if (this.#lives.omitted > 0) return true
    for (const { firstMs, lastMs } of this.#lives.values()) if (lastMs - firstMs >= judgedMs) return true
    return false
  }

  add({ key, firstMs, lastMs }: Instance): void {
    this.#lives.getOrCreate(key, () => new Lifetime())?.add(firstMs, lastMs)
  }

  /** Notes a span of one of them. Returns false for a span of another process. */
  note(key: string, { startMs }: TraceSpan): boolean {
    const life = this.#lives.get(key)
    life?.add(startMs)
    return life !== undefined
  }

  forget(beforeMs: number): void {
    for (const [key, { lastMs }] of [...this.#lives]) if (lastMs < beforeMs) this.#lives.delete(key)
  }
}
