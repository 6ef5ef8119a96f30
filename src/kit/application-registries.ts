import { sizeBand } from '../catalogue/bands.ts'
import { emitSpan, type SpanEffect } from '../catalogue/span-effect.ts'
import { MeshError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Clock } from '../core/machine.ts'
import { OwnedMap, type ReleaseReason } from '../core/owned-map.ts'
import type { Owner } from '../core/owner.ts'
import type { TraceRef } from '../core/trace.ts'
import type { CensusPart } from '../evidence/census.ts'
import { atMost, equal } from '../evidence/invariants.ts'
import { countsOf } from '../evidence/registry-evidence.ts'

/** How a registry of the application empties. */
export interface RegistryOptions<K, V> {
  /** Largest number of entries, a positive integer. A full registry releases its least recently set entry. */
  readonly capacity: number
  /**
   * Milliseconds without `set` or `touch` after which the registry releases an entry, up to five seconds later; or the
   * event upon which the application itself deletes entries, in words for a reader of traces.
   */
  readonly expiry: { readonly idleMs: number } | { readonly event: string }
  /** Frees the resources of a value. Called once per value, for any reason; an error that it throws is logged. */
  readonly release?: (value: V, key: K, reason: ReleaseReason) => void
}

/** A bounded map of the application, which the census counts. */
export interface ApplicationRegistry<K, V extends {}> extends Iterable<[K, V]> {
  /** Current number of entries. */
  readonly size: number
  get(key: K): V | undefined
  has(key: K): boolean
  /** Adds or replaces an entry. Throws `MESH_OWNER_CLOSED` once the registry is closed. */
  set(key: K, value: V): void
  /** Postpones the expiry of an entry. */
  touch(key: K): void
  /** Returns whether there was an entry. */
  delete(key: K): boolean
  /** Iterates over a copy, the least recently set entry first. */
  keys(): Iterable<K>
  values(): Iterable<V>
  entries(): Iterable<[K, V]>
  /** Releases all entries and frees the name. The stop of the node does the same. */
  close(): void
}

export interface WatchOptions {
  /** Size above which the census reports `mesh.leak.suspected`; none by default. */
  readonly capacity?: number
}

/** A collection that the census counts. */
interface Collection {
  /** One reading for all that a census says of it; undefined if the application's code fails. */
  readonly read: () => Reading | undefined
  readonly expire: () => void
}

interface Reading {
  readonly size: number
  readonly span: (audit: TraceRef) => SpanEffect
  readonly invariant: ReturnType<typeof equal> | undefined
}

const sweepMs = 5_000

/** Collections of the application, in the census under their own names: a leak there has an owner, too. */
export class ApplicationRegistries {
  readonly #owner: Owner
  readonly #clock: Clock
  readonly #onError: (error: unknown, registry: string) => void
  /** By name; at most `limits.applicationRegistries`. */
  #collections: Readonly<Record<string, Collection>> = {}

  constructor(owner: Owner, clock: Clock, onError: (error: unknown, registry: string) => void) {
    this.#owner = owner.child('application')
    this.#clock = clock
    this.#onError = onError
  }

  registry<K, V extends {}>(name: string, options: RegistryOptions<K, V>): ApplicationRegistry<K, V> {
    this.#requireFree(name)
    const { capacity, expiry, release = () => {} } = options
    const guardedRelease = (value: V, key: K, reason: ReleaseReason) =>
      this.#guard(name, () => release(value, key, reason))
    const map = new OwnedMap<K, V, string>(this.#owner.name, { name, capacity, expiry, release: guardedRelease })
    const close = this.#owner.adopt(`registry ${name}`, () => {
      this.#remove(name)
      map.close()
    })
    const read = () => {
      const census = map.census(this.#clock.now())
      const { added, released, size } = census
      const counts = { expected: added - released, actual: size }
      return {
        size,
        span: (parent: TraceRef) => emitSpan('mesh.audit.application', countsOf(census), { parent }),
        invariant: equal({ name: 'registry-conserved', owner: `application ${name}`, ...counts }),
      }
    }
    this.#add(name, {
      read,
      expire: () => map.expire(this.#clock.now()),
    })
    return facadeOf(map, this.#clock, () => void close())
  }

  watch(name: string, size: () => number, { capacity }: WatchOptions = {}): () => void {
    this.#requireFree(name)
    if (capacity !== undefined && !(Number.isSafeInteger(capacity) && capacity > 0))
      throw new MeshError('MESH_CONFIG_INVALID', {
        key: `capacity of ${name}`,
        given: String(capacity),
        expected: 'a positive, finite number',
      })
    const bound = capacity === undefined ? {} : { 'mesh.registry.capacity': capacity }
    const read = () => {
      const current = this.#guard(name, size)
      if (current === undefined) return undefined
      const sizes = { 'mesh.registry.size': current, 'mesh.registry.size_band': sizeBand(current) }
      const attributes = { 'mesh.registry.name': name, ...sizes, ...bound }
      return {
        size: current,
        span: (parent: TraceRef) => emitSpan('mesh.audit.application', attributes, { parent }),
        invariant:
          capacity === undefined
            ? undefined
            : atMost({ name: 'registry-bound', owner: `application ${name}`, expected: capacity, actual: current }),
      }
    }
    this.#add(name, { read, expire: () => {} })
    const release = this.#owner.adopt(`watch ${name}`, () => this.#remove(name))
    return () => void release()
  }

  /** Releases idle entries from now on. */
  start(): void {
    this.#owner.every(sweepMs, () => {
      for (const { expire } of Object.values(this.#collections)) expire()
    })
  }

  evidence(): CensusPart {
    const readings = Object.entries(this.#collections).flatMap(([name, { read }]) => {
      const reading = read()
      return reading === undefined ? [] : [{ name, ...reading }]
    })
    return {
      ...(readings.length > 0 && {
        attributes: { 'mesh.audit.applications': readings.map(({ name, size }) => `${name} ${size}`) },
      }),
      children: (audit) => readings.map(({ span }) => span(audit)),
      invariants: readings.flatMap(({ invariant }) => invariant ?? []),
    }
  }

  #add(name: string, collection: Collection): void {
    this.#collections = { ...this.#collections, [name]: collection }
  }

  #remove(name: string): void {
    const { [name]: _, ...others } = this.#collections
    this.#collections = others
  }

  #requireFree(name: string): void {
    if (!/^[\w.-]{1,64}$/.test(name))
      throw new MeshError('MESH_CONFIG_INVALID', {
        key: 'the name of a registry',
        given: JSON.stringify(name),
        expected: '1 to 64 letters, digits, dots, dashes or underscores',
      })
    if (Object.hasOwn(this.#collections, name))
      throw new MeshError('MESH_CONFIG_INVALID', {
        key: `registry ${name}`,
        given: 'registered already',
        expected: 'another name, or a call of its `close` first',
      })
    if (Object.keys(this.#collections).length >= limits.applicationRegistries)
      throw new MeshError('MESH_LIMIT_REACHED', { limit: 'applicationRegistries', value: limits.applicationRegistries })
  }

  /** Code of the application must not disturb the mesh. */
  #guard<R>(name: string, call: () => R): R | undefined {
    try {
      return call()
    } catch (error) {
      this.#onError(error, name)
      return undefined
    }
  }
}

function facadeOf<K, V extends {}>(
  map: OwnedMap<K, V, string>,
  clock: Clock,
  close: () => void,
): ApplicationRegistry<K, V> {
  return {
    get size() {
      return map.size
    },
    get: (key) => map.get(key),
    has: (key) => map.has(key),
    set: (key, value) => map.set(key, value, clock.now()),
    touch: (key) => map.touch(key, clock.now()),
    delete: (key) => map.delete(key),
    keys: () => map.keys(),
    values: () => map.values(),
    entries: () => map.entries(),
    [Symbol.iterator]: () => map.entries(),
    close,
  }
}
