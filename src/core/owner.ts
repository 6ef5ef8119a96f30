import { errorMessage, MeshError } from './errors.ts'
import { limits } from './limits.ts'
import type { Clock } from './machine.ts'
import { OwnedMap, type RegistryCensus, type RegistrySpec } from './owned-map.ts'

export interface Inventory {
  readonly registries: readonly RegistryCensus[]
  readonly resources: readonly OwnedResource[]
  /** Items so far of this owner, its parents and all their children: those `adopted` less those `released` are held. */
  readonly totals: OwnerTotals
}

/** Counts of items: registries, timers, resources and child owners. */
export interface OwnerTotals {
  readonly adopted: number
  readonly released: number
}

export interface OwnedResource {
  /** Name of its owner. */
  readonly owner: string
  readonly kind: 'timer' | 'resource' | 'owner'
  readonly name: string
}

export interface CloseStep {
  /** Name of the closed item, prefixed with the child's name for a child's item. */
  readonly name: string
  readonly durationMs: number
  /** Error code, if any, and message. */
  readonly error?: string
}

/** The part of a map that its owner needs, independent of key and value types. */
type Registry = Pick<OwnedMap<unknown, object>, 'census' | 'close'>

/** Any item of an owner; one list, since the owner closes items in reverse order. */
type OwnedItem =
  | { readonly kind: 'timer'; readonly name: string; readonly cancel: () => void }
  | { readonly kind: 'resource'; readonly name: string; readonly release: () => Promise<void> }
  | { readonly kind: 'owner'; readonly name: string; readonly child: Owner }
  | { readonly kind: 'map'; readonly name: string; readonly map: Registry }

/** Periodic jobs run at multiples of this, milliseconds. */
const sharedMs = 1_000

/**
 * Owns long-lived items: registries, timers, closable resources, and child owners. It lists them, limits their number,
 * and closes them in reverse order. `map`, `child`, `after` and `adopt` throw MESH_OWNER_CLOSED after closing, and
 * MESH_LIMIT_REACHED at `limits.held` items.
 */
export class Owner {
  /** A child's name begins with its parent's: `node-a/kit`. */
  readonly name: string
  readonly #clock: Clock
  readonly #abort = new AbortController()
  readonly #items = new Set<OwnedItem>()
  /** One object for a tree of owners, since children come and go. */
  readonly #totals: { adopted: number; released: number }
  readonly #steps: (CloseStep | { readonly name: string; readonly child: Owner })[] = []
  #closing: Promise<readonly CloseStep[]> | undefined
  /** Removes this owner from its parent once its last item is closed. */
  #detach: () => void = () => {}

  constructor(name: string, clock: Clock, parent?: Owner) {
    this.name = name
    this.#clock = clock
    this.#totals = parent === undefined ? { adopted: 0, released: 0 } : parent.#totals
  }

  /** Aborts when closing begins, before any item closes. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  get closed(): boolean {
    return this.signal.aborted
  }

  /** Throws MESH_CONFIG_INVALID for a capacity or `idleMs` that is not positive and finite. */
  map<K, V extends {}>(spec: RegistrySpec<K, V>): OwnedMap<K, V> {
    const map = new OwnedMap<K, V>(this.name, spec)
    this.#addItem({ kind: 'map', name: spec.name, map })
    return map
  }

  child(name: string): Owner {
    const child = new Owner(`${this.name}/${name}`, this.#clock, this)
    const item = this.#addItem({ kind: 'owner', name, child })
    child.#detach = () => this.#removeItem(item)
    return child
  }

  /** Calls `run` once after `ms` unless the returned function or closing cancels it. */
  after(ms: number, run: () => void): () => void {
    this.#requireRoom('timer')
    const cancel = this.#clock.after(ms, () => {
      this.#removeItem(item)
      run()
    })
    const item: OwnedItem = { kind: 'timer', name: `after ${ms} ms`, cancel }
    this.#items.add(item)
    this.#totals.adopted++
    return () => {
      this.#removeItem(item)
      cancel()
    }
  }

  /**
   * Calls `run` every `ms`, to the nearest second, unless the returned function or closing cancels it. Jobs thus run in
   * the same turns: a wake-up of an idle process costs some 0.4 ms, more than a job.
   */
  every(ms: number, run: () => void): () => void {
    const gridMs = Math.min(ms, sharedMs)
    let cancel = () => {}
    const next = () => {
      const now = this.#clock.now()
      cancel = this.#clock.after(Math.round((now + ms) / gridMs) * gridMs - now, () => {
        next()
        run()
      })
    }
    const item = this.#addItem({ kind: 'timer', name: `every ${ms} ms`, cancel: () => cancel() })
    next()
    return () => {
      this.#removeItem(item)
      cancel()
    }
  }

  /**
   * Adopts a resource: the owner calls `close` once, when it closes or when the returned function is called, whichever
   * comes first. The promise of that function settles with `close`, or rejects with MESH_STEP_TIMEOUT after `limitMs`.
   * A resource stays in the inventory until its `close` settles.
   */
  adopt(name: string, close: () => void | Promise<void>, limitMs = 1_000): () => Promise<void> {
    let releasing: Promise<void> | undefined
    const run = async () => {
      try {
        await close()
      } finally {
        this.#removeItem(item)
      }
    }
    const release = () => {
      releasing ??= withTimeout(this.#clock, name, limitMs, run)
      return releasing
    }
    const item = this.#addItem({ kind: 'resource', name, release })
    return release
  }

  /** All current items, including those of children. */
  inventory(): Inventory {
    const registries: RegistryCensus[] = []
    const resources: OwnedResource[] = []
    for (const item of this.#items) {
      if (item.kind === 'map') {
        registries.push(item.map.census(this.#clock.now()))
        continue
      }
      resources.push({ owner: this.name, kind: item.kind, name: item.name })
      if (item.kind !== 'owner') continue
      const inner = item.child.inventory()
      registries.push(...inner.registries)
      resources.push(...inner.resources)
    }
    return { registries, resources, totals: { ...this.#totals } }
  }

  /** The signals of this owner and of its children, by name. */
  *signals(): Generator<readonly [name: string, signal: AbortSignal]> {
    yield [this.name, this.signal]
    for (const item of this.#items) if (item.kind === 'owner') yield* item.child.signals()
  }

  /** Names of the steps that `close` would take now, in its order. */
  plannedSteps(): readonly string[] {
    return [...this.#items].reverse().flatMap((item) => {
      if (item.kind === 'timer') return []
      return item.kind === 'owner' ? item.child.plannedSteps().map((name) => `${item.name}/${name}`) : [item.name]
    })
  }

  /** The steps that `close` has completed so far: all of them, unless one of them hangs. */
  get closeSteps(): readonly CloseStep[] {
    return this.#steps.flatMap((step) =>
      'child' in step
        ? step.child.closeSteps.map((inner) => ({ ...inner, name: `${step.name}/${inner.name}` }))
        : [step],
    )
  }

  /**
   * Closes all items in reverse order, one after the other, each within its own limit. It cancels timers first and does
   * not list them as steps. Never rejects: the steps contain the errors. Every call returns the same promise.
   */
  close(): Promise<readonly CloseStep[]> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** As `close`, but throws MESH_RELEASE_FAILED when a step failed. */
  async [Symbol.asyncDispose](): Promise<void> {
    const errors = (await this.close()).flatMap(({ name, error }) => (error === undefined ? [] : [`${name}: ${error}`]))
    if (errors.length === 0) return
    throw new MeshError('MESH_RELEASE_FAILED', { owner: this.name, steps: errors.join('; ') })
  }

  async #close(): Promise<readonly CloseStep[]> {
    this.#cancelTimers()
    this.#abort.abort(new MeshError('MESH_OWNER_CLOSED', { owner: this.name, resource: 'work' }))
    for (const item of [...this.#items].reverse()) {
      if (item.kind === 'owner') {
        this.#steps.push(item)
        await item.child.close()
      } else if (item.kind !== 'timer') this.#steps.push(await this.#closeItem(item))
    }
    if (this.#items.size === 0) this.#detach()
    return this.closeSteps
  }

  /** Recursive, and before all steps: no timer may fire while items are closing. */
  #cancelTimers(): void {
    for (const item of [...this.#items]) {
      if (item.kind === 'owner') item.child.#cancelTimers()
      if (item.kind !== 'timer') continue
      this.#removeItem(item)
      item.cancel()
    }
  }

  async #closeItem(item: Extract<OwnedItem, { kind: 'map' | 'resource' }>): Promise<CloseStep> {
    const began = this.#clock.now()
    try {
      if (item.kind === 'resource') await item.release()
      else this.#closeMap(item)
      return { name: item.name, durationMs: this.#clock.now() - began }
    } catch (error) {
      return { name: item.name, durationMs: this.#clock.now() - began, error: describe(error) }
    }
  }

  #closeMap(item: Extract<OwnedItem, { kind: 'map' }>): void {
    this.#removeItem(item)
    item.map.close()
  }

  #addItem<H extends OwnedItem>(item: H): H {
    this.#requireRoom(item.name)
    this.#items.add(item)
    this.#totals.adopted++
    return item
  }

  #requireRoom(resource: string): void {
    if (this.closed) throw new MeshError('MESH_OWNER_CLOSED', { owner: this.name, resource })
    if (this.#items.size < limits.held) return
    throw new MeshError('MESH_LIMIT_REACHED', { limit: `items of ${this.name}`, value: limits.held })
  }

  #removeItem(item: OwnedItem): void {
    if (this.#items.delete(item)) this.#totals.released++
    if (this.closed && this.#items.size === 0) this.#detach()
  }
}

/** Settles with `run`, or rejects after `ms`; it cannot stop `run`. */
function withTimeout(clock: Clock, step: string, ms: number, run: () => Promise<void>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const cancel = clock.after(ms, () => reject(new MeshError('MESH_STEP_TIMEOUT', { step, ms })))
  run().finally(cancel).then(resolve, reject)
  return promise
}

function describe(error: unknown): string {
  return error instanceof MeshError ? `${error.code}: ${error.message}` : errorMessage(error)
}
