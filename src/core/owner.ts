import { MeshError } from './errors.ts'
import { limits } from './limits.ts'
import type { Clock } from './machine.ts'
import { OwnedMap, type RegistryCensus, type RegistrySpec } from './owned-map.ts'

export interface Inventory {
  readonly registries: readonly RegistryCensus[]
  readonly resources: readonly OwnedResource[]
}

export interface OwnedResource {
  /** Name of the owner that holds it. */
  readonly owner: string
  readonly kind: 'timer' | 'resource' | 'owner'
  readonly name: string
}

export interface CloseStep {
  /** What was closed; for a child's, with the child's name before it. */
  readonly name: string
  readonly durationMs: number
  /** Code, if it has one, and message of what went wrong. */
  readonly error?: string
}

/** What an owner needs to know of a map, whatever its keys and values are. */
type Registry = Pick<OwnedMap<unknown, object>, 'census' | 'close'>

/** Anything an owner holds: in one list, since it closes in reverse order of holding. */
type OwnedItem =
  | { readonly kind: 'timer'; readonly name: string; readonly cancel: () => void }
  | { readonly kind: 'resource'; readonly name: string; readonly release: () => Promise<void> }
  | { readonly kind: 'owner'; readonly name: string; readonly child: Owner }
  | { readonly kind: 'map'; readonly name: string; readonly map: Registry }

/**
 * Holds what lives long: registries, timers, any resource with an end, and owners in turn. What it holds can be
 * listed, is bounded in number, and ends with it, in reverse order. Once closed it takes nothing on: `map`, `child`,
 * `after` and `adopt` then throw MESH_OWNER_CLOSED, and MESH_LIMIT_REACHED when it holds `limits.held` things.
 */
export class Owner {
  /** A child's name begins with its parent's: `node-a/kit`. */
  readonly name: string
  readonly #clock: Clock
  readonly #abort = new AbortController()
  readonly #items = new Set<OwnedItem>()
  #closing: Promise<readonly CloseStep[]> | undefined
  /** Takes this owner off its parent's list, once nothing is left of it. */
  #detach: () => void = () => {}

  constructor(name: string, clock: Clock) {
    this.name = name
    this.#clock = clock
  }

  /** Aborts when closing begins, before anything is closed. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  get closed(): boolean {
    return this.signal.aborted
  }

  /** Throws MESH_CONFIG_INVALID for a bound that is zero, infinite or no number. */
  map<K, V extends {}>(spec: RegistrySpec<K, V>): OwnedMap<K, V> {
    const map = new OwnedMap<K, V>(this.name, spec)
    this.#addItem({ kind: 'map', name: spec.name, map })
    return map
  }

  child(name: string): Owner {
    const child = new Owner(`${this.name}/${name}`, this.#clock)
    const item = this.#addItem({ kind: 'owner', name, child })
    child.#detach = () => this.#removeItem(item)
    return child
  }

  /** Calls `run` once after `ms` unless cancelled, by the returned function or by closing. */
  after(ms: number, run: () => void): () => void {
    this.#requireRoom('timer')
    const cancel = this.#clock.after(ms, () => {
      this.#removeItem(item)
      run()
    })
    const item: OwnedItem = { kind: 'timer', name: `after ${ms} ms`, cancel }
    this.#items.add(item)
    return () => {
      this.#removeItem(item)
      cancel()
    }
  }

  /**
   * Takes on a resource: `close` is called once, when this owner closes or when the returned function is called,
   * whichever is first. That function's promise settles when `close` has, or rejects with MESH_STEP_TIMEOUT after
   * `limitMs`. A resource whose `close` does not settle stays in the inventory until it does.
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

  /** Everything held now, children's included. */
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
    return { registries, resources }
  }

  /**
   * Closes all that is held, in reverse order, one after the other, each step bounded by its own limit. Timers are
   * cancelled first of all and are no steps. Never rejects: what went wrong is in the steps. Every call gives the
   * same answer.
   */
  close(): Promise<readonly CloseStep[]> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** As `close`, but throws MESH_RELEASE_FAILED when a step failed. */
  async [Symbol.asyncDispose](): Promise<void> {
    const failures = (await this.close()).flatMap(({ name, error }) =>
      error === undefined ? [] : [`${name}: ${error}`],
    )
    if (failures.length === 0) return
    throw new MeshError('MESH_RELEASE_FAILED', { owner: this.name, steps: failures.join('; ') })
  }

  async #close(): Promise<readonly CloseStep[]> {
    this.#cancelTimers()
    this.#abort.abort(new MeshError('MESH_OWNER_CLOSED', { owner: this.name, resource: 'work' }))
    const steps: CloseStep[] = []
    for (const item of [...this.#items].reverse()) {
      if (item.kind === 'owner') {
        const inner = await item.child.close()
        steps.push(...inner.map((step) => ({ ...step, name: `${item.name}/${step.name}` })))
      } else if (item.kind !== 'timer') steps.push(await this.#closeItem(item))
    }
    if (this.#items.size === 0) this.#detach()
    return steps
  }

  /** Deeply, and before anything else: no timer may fire into what is half closed. */
  #cancelTimers(): void {
    for (const item of [...this.#items]) {
      if (item.kind === 'owner') item.child.#cancelTimers()
      if (item.kind !== 'timer') continue
      this.#items.delete(item)
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
    return item
  }

  #requireRoom(resource: string): void {
    if (this.closed) throw new MeshError('MESH_OWNER_CLOSED', { owner: this.name, resource })
    if (this.#items.size < limits.held) return
    throw new MeshError('MESH_LIMIT_REACHED', { limit: `what ${this.name} may hold`, value: limits.held })
  }

  #removeItem(item: OwnedItem): void {
    this.#items.delete(item)
    if (this.closed && this.#items.size === 0) this.#detach()
  }
}

/** Settles as `run` does, or rejects after `ms`; `run` itself cannot be stopped. */
function withTimeout(clock: Clock, step: string, ms: number, run: () => Promise<void>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const cancel = clock.after(ms, () => reject(new MeshError('MESH_STEP_TIMEOUT', { step, ms })))
  run().finally(cancel).then(resolve, reject)
  return promise
}

function describe(error: unknown): string {
  if (error instanceof MeshError) return `${error.code}: ${error.message}`
  return error instanceof Error ? error.message : String(error)
}
