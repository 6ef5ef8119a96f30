/** A map that takes no further key once it is full, and counts the keys it left out. */
export class BoundedMap<K, V extends {}> {
  readonly #entries = new Map<K, V>()
  readonly #capacity: number
  #omitted = 0

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** Number of calls whose key found no room. */
  get omitted(): number {
    return this.#omitted
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: K): V | undefined {
    return this.#entries.get(key)
  }

  /** Undefined if the map is full and lacks the key. */
  getOrCreate(key: K, create: () => V): V | undefined {
    const present = this.#entries.get(key)
    if (present !== undefined) return present
    if (this.#entries.size >= this.#capacity) {
      this.#omitted++
      return undefined
    }
    const created = create()
    this.#entries.set(key, created)
    return created
  }

  delete(key: K): boolean {
    return this.#entries.delete(key)
  }

  keys(): MapIterator<K> {
    return this.#entries.keys()
  }

  values(): MapIterator<V> {
    return this.#entries.values()
  }

  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.#entries[Symbol.iterator]()
  }
}
