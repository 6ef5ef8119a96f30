import type { RegistryName } from '../catalogue/spans.ts'
import { MeshError } from './errors.ts'

/** Why a value left its registry. */
export type ReleaseReason = 'replaced' | 'removed' | 'expired' | 'evicted' | 'closed'

/** A registry cannot be made without saying what bounds it, what empties it and how a value is let go. */
export interface RegistrySpec<K, V extends {}> {
  readonly name: RegistryName
  /** Most entries at once, a positive integer. */
  readonly capacity: number
  /** Milliseconds without a refresh after which `expire` lets an entry go; or the event that removes entries. */
  readonly expiry: { readonly idleMs: number } | { readonly event: string }
  /** Frees what the value holds. Called exactly once per value held, however it leaves. */
  readonly release: (value: V, key: K, reason: ReleaseReason) => void
}

/** What one registry reports: `added` less `released` is `size`, and `released` is the sum of `byReason`. */
export interface RegistryCensus {
  readonly name: RegistryName
  readonly owner: string
  readonly size: number
  readonly capacity: number
  /** Highest size so far. */
  readonly highWaterMark: number
  readonly added: number
  readonly released: number
  readonly byReason: Readonly<Record<ReleaseReason, number>>
  /** Milliseconds since the entry longest without a refresh was refreshed; 0 when empty. */
  readonly oldestMs: number
}

interface Entry<V> {
  readonly value: V
  readonly refreshedAt: number
}

/**
 * A map with a bound and an end: whatever leaves it is released.
 *
 * Every change puts the map right first and calls `release` last, so a release that throws, or that comes back into
 * the map, finds it whole; what it throws reaches the caller. Times are monotonic milliseconds; one that lies before
 * an earlier call's counts as that earlier one.
 */
export class OwnedMap<K, V extends {}> {
  readonly spec: RegistrySpec<K, V>
  readonly #owner: string
  /** Kept in order of refresh, so that the first is the one to evict or to expire. */
  readonly #entries = new Map<K, Entry<V>>()
  readonly #byReason: Record<ReleaseReason, number> = { replaced: 0, removed: 0, expired: 0, evicted: 0, closed: 0 }
  #added = 0
  #highWaterMark = 0
  #latest = -Infinity
  #closed = false

  /** For `Owner.map`. Throws MESH_CONFIG_INVALID for a bound that bounds nothing. */
  constructor(owner: string, spec: RegistrySpec<K, V>) {
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
   * Holds `value`, or refreshes it when it is held already. Another value held under `key` is released as 'replaced';
   * when the map is full, the entry longest without a refresh is released as 'evicted'.
   * Throws MESH_OWNER_CLOSED; the value then stays the caller's.
   */
  set(key: K, value: V, now: number): void {
    if (this.#closed) throw new MeshError('MESH_OWNER_CLOSED', { owner: this.#owner, resource: this.spec.name })
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
    if (entry !== undefined) this.#putEntry(key, entry.value, now)
  }

  /** Whether there was an entry to release. */
  delete(key: K, reason: 'removed' | 'expired' = 'removed'): boolean {
    const entry = this.#entries.get(key)
    if (entry === undefined) return false
    this.#entries.delete(key)
    this.#release(entry.value, key, reason)
    return true
  }

  /** Removes only what is meant: a removal that comes late must not take the successor. */
  deleteIf(key: K, isMeant: (value: V) => boolean): boolean {
    const value = this.get(key)
    return value !== undefined && isMeant(value) && this.delete(key)
  }

  /**
   * Releases every entry that was not refreshed for longer than `idleMs`; returns how many. All are released even if
   * a release throws: then MESH_RELEASE_FAILED, with every failure in its cause.
   */
  expire(now: number): number {
    if (!('idleMs' in this.spec.expiry)) return 0
    const before = this.#advance(now) - this.spec.expiry.idleMs
    return this.#releaseWhile('expired', ({ refreshedAt }) => refreshedAt < before)
  }

  /** For the owner: releases all as 'closed' and takes no more. Failures as in `expire`. */
  close(): void {
    this.#closed = true
    this.#releaseWhile('closed', () => true)
  }

  /** Iteration is over a copy: the map may be changed meanwhile. Longest without a refresh first. */
  keys(): ArrayIterator<K> {
    return [...this.#entries.keys()].values()
  }

  values(): ArrayIterator<V> {
    return Array.from(this.#entries.values(), ({ value }) => value).values()
  }

  entries(): ArrayIterator<[K, V]> {
    return Array.from(this.#entries, ([key, { value }]): [K, V] => [key, value]).values()
  }

  [Symbol.iterator](): ArrayIterator<[K, V]> {
    return this.entries()
  }

  census(now: number): RegistryCensus {
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

  /** Never back, or the order of refresh would not be the order of `seenAt`. */
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
  const steps = failures.map((failure) => (failure instanceof Error ? failure.message : String(failure))).join('; ')
  return new MeshError('MESH_RELEASE_FAILED', { owner, steps }, { cause: new AggregateError(failures) })
}
