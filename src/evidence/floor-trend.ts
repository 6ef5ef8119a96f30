import type { MemoryFloor } from './memory.ts'

export type RisenFloor = 'heap-floor' | 'external-floor'

/** Floors that are compared, and those at each end that must all differ. */
const [compared, ends] = [6, 2]
/** Bytes. The floors of a clean node spread over 1.2 MB of heap and 0.2 MB outside it, measured; the bounds are guesses. */
const bounds = { heap: 4_194_304, external: 2_097_152 }
/** Milliseconds in which a new process compiles its code, and its floors rise. */
const warmUpMs = 120_000

/** Notices that what major collections leave rises: each of the last floors lies above each of the first by a bound. */
export class FloorTrend {
  readonly #startedAt: number
  #floors: readonly MemoryFloor[] = []

  constructor(startedAt: number) {
    this.#startedAt = startedAt
  }

  /** Returns the floor that rises, if one does; the comparison then begins anew. */
  add(floor: MemoryFloor): RisenFloor | undefined {
    if (floor.at - this.#startedAt < warmUpMs) return undefined
    this.#floors = [...this.#floors, floor].slice(-compared)
    if (this.#floors.length < compared) return undefined
    const rise = (key: 'heap' | 'external') => {
      const bytes = this.#floors.map((one) => one[key])
      return Math.min(...bytes.slice(-ends)) - Math.max(...bytes.slice(0, ends))
    }
    const risen =
      rise('external') > bounds.external ? 'external-floor' : rise('heap') > bounds.heap ? 'heap-floor' : undefined
    if (risen !== undefined) this.#floors = []
    return risen
  }
}
