import type { RegistryName } from '../catalogue/registries.ts'
import { errorMessage, MeshError } from './errors.ts'

/** Why a value left its registry. */
export type ReleaseReason = 'replaced' | 'removed' | 'expired' | 'evicted' | 'closed'

/** Every registry needs a capacity, an expiry and a release function. */
export interface RegistrySpec<K, V extends {}, N extends string = RegistryName> {
  readonly name: N
  /** Largest number of entries, a positive integer. */
  readonly capacity: number
  /** Milliseconds without a refresh after which `expire` releases an entry; or the event that removes entries. */
  readonly expiry: { readonly idleMs: number } | { readonly event: string }
  /** Frees the resources of a value. Called exactly once per value, for any reason. */
  readonly release: (value: V, key: K, reason: ReleaseReason) => void
}

/** Counts of one registry: `added` less `released` is `size`, and `released` is the sum of `byReason`. */
export interface RegistryCensus<N extends string = RegistryName> {
  readonly name: N
  readonly owner: string
  readonly size: number
  readonly capacity: number
  /** Highest size so far. */
  readonly highWaterMark: number
  readonly added: number
  readonly released: number
  readonly byReason: Readonly<Record<ReleaseReason, number>>
  /** Milliseconds since the last refresh of the least recently refreshed entry; 0 when empty. */
  readonly oldestMs: number
}

interface Entry<V> {
  readonly value: V
  refreshedAt: number
}

/**
 * A bounded map that releases every value it removes.
 *
 * Every change updates the map first and calls `release` last, so a release that throws or re-enters the map finds it
 * consistent; its error reaches the caller. Times are monotonic milliseconds; a time before that of an earlier call
 * counts as the earlier one.
 */
export class OwnedMap<K, V extends {}, N extends string = RegistryName> {
  readonly spec: RegistrySpec<K, V, N>
  readonly #owner: string
  /** In order of refresh: the first entry is the next to evict or to expire. */
  readonly #entries = new Map<K, Entry<V>>()
  readonly #byReason: Record<ReleaseReason, number> = { replaced: 0, removed: 0, expired: 0, evicted: 0, closed: 0 }
  #added = 0
  #highWaterMark = 0
  #latest = -Infinity
  #isClosed = false

  /** For `Owner.map`. Throws MESH_CONFIG_INVALID for a capacity or `idleMs` that is not positive and finite. */
  constructor(owner: string, spec: RegistrySpec<K, V, N>) {
    requireBound(`capacity of ${spec.name}`, spec.capacity, Number.isSafeInteger(spec.capacity))
    if ('idleMs' in spec.expiry) requireBound(`idleMs of ${spec.name}`, spec.expiry.idleMs, true)
    this.spec = spec
    this.#owner = owner
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: K): V | undefined {
    return this.#entries.get(key)?.value
  }

  has(key: K): boolean {
    return this.#entries.has(key)
  }

  /**
   * Adds `value`, or refreshes it if it is already present. Releases another value under `key` as 'replaced'. A full
   * map releases its least recently refreshed entry as 'evicted'. Throws MESH_OWNER_CLOSED; the value then stays the
   * caller's.
   */
  set(key: K, value: V, now: number): void {
    if (this.#isClosed) throw new MeshError('MESH_OWNER_CLOSED', { owner: this.#owner, resource: this.spec.name })
    const entry = this.#entries.get(key)
    if (entry !== undefined && Object.is(entry.value, value)) {
      this.touch(key, now)
      return
    }
    const evicted = entry === undefined && this.size >= this.spec.capacity ? this.#oldest() : undefined
    if (evicted !== undefined) this.#entries.delete(evicted[0])
    this.#putEntry(key, value, now)
    this.#added++
    this.#highWaterMark = Math.max(this.#highWaterMark, this.size)
    if (entry !== undefined) this.#release(entry.value, key, 'replaced')
    if (evicted !== undefined) this.#release(evicted[1].value, evicted[0], 'evicted')
  }

  /** Refreshes the entry, if there is one. */
  touch(key: K, now: number): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    entry.refreshedAt = this.#advance(now)
    this.#entries.delete(key)
    this.#entries.set(key, entry)
  }

  /** Returns whether an entry was released. */
  delete(key: K, reason: Extract<ReleaseReason, 'removed' | 'expired' | 'evicted'> = 'removed'): boolean {
    const entry = this.#entries.get(key)
    if (entry === undefined) return false
    this.#entries.delete(key)
    this.#release(entry.value, key, reason)
    return true
  }

  /** Removes the entry only if its value matches, so that a late removal cannot take the successor. */
  deleteIf(key: K, matches: (value: V) => boolean): boolean {
    const value = this.get(key)
    return value !== undefined && matches(value) && this.delete(key)
  }

  /**
   * Releases every entry without a refresh for longer than `idleMs` and returns their number. If releases throw, it
   * still releases all, then throws MESH_RELEASE_FAILED with every error in its cause.
   */
  expire(now: number): number {
    if (!('idleMs' in this.spec.expiry)) return 0
    const before = this.#advance(now) - this.spec.expiry.idleMs
    return this.#releaseWhile('expired', ({ refreshedAt }) => refreshedAt < before)
  }

  /** For the owner: releases all entries as 'closed' and rejects further ones. Errors as in `expire`. */
  close(): void {
    this.#isClosed = true
    this.#releaseWhile('closed', () => true)
  }

  /** Iterates over a copy, so the map may change meanwhile. Least recently refreshed first. */
  keys(): ArrayIterator<K> {
    return [...this.#entries.keys()].values()
  }

  values(): ArrayIterator<V> {
    const values: V[] = []
    this.#entries.forEach(({ value }) => {
      values.push(value)
    })
    return values.values()
  }

  entries(): ArrayIterator<[K, V]> {
    const entries: [K, V][] = []
    this.#entries.forEach(({ value }, key) => {
      entries.push([key, value])
    })
    return entries.values()
  }

  [Symbol.iterator](): ArrayIterator<[K, V]> {
    return this.entries()
  }

  census(now: number): RegistryCensus<N> {
    const oldest = this.#oldest()
    return {
      name: this.spec.name,
      owner: this.#owner,
      size: this.size,
      capacity: this.spec.capacity,
      highWaterMark: this.#highWaterMark,
      added: this.#added,
      released: Object.values(this.#byReason).reduce((sum, count) => sum + count, 0),
      byReason: { ...this.#byReason },
      oldestMs: oldest === undefined ? 0 : Math.max(0, now - oldest[1].refreshedAt),
    }
  }

  #oldest(): [K, Entry<V>] | undefined {
    return this.#entries.entries().next().value
  }

  #putEntry(key: K, value: V, now: number): void {
    this.#entries.delete(key)
    this.#entries.set(key, { value, refreshedAt: this.#advance(now) })
  }

  /** Never goes back, so that the order of entries is the order of `refreshedAt`. */
  #advance(now: number): number {
    this.#latest = Math.max(this.#latest, now)
    return this.#latest
  }

  #release(value: V, key: K, reason: ReleaseReason): void {
    this.#byReason[reason]++
    this.spec.release(value, key, reason)
  }

  #releaseWhile(reason: 'expired' | 'closed', isDue: (entry: Entry<V>) => boolean): number {
    const failures: unknown[] = []
    let count = 0
    for (let first = this.#oldest(); first !== undefined && isDue(first[1]); first = this.#oldest()) {
      const [key, { value }] = first
      this.#entries.delete(key)
      count++
      try {
        this.#release(value, key, reason)
      } catch (failure) {
        failures.push(failure)
      }
    }
    if (failures.length > 0) throw releaseFailed(`${this.#owner} ${this.spec.name}`, failures)
    return count
  }
}

function requireBound(key: string, value: number, isRightKind: boolean): void {
  if (isRightKind && value > 0 && Number.isFinite(value)) return
  throw new MeshError('MESH_CONFIG_INVALID', { key, given: String(value), expected: 'a positive, finite number' })
}

function releaseFailed(owner: string, failures: readonly unknown[]): MeshError<'MESH_RELEASE_FAILED'> {
  const steps = failures.map(errorMessage).join('; ')
  return new MeshError('MESH_RELEASE_FAILED', { owner, steps }, { cause: new AggregateError(failures) })
}
