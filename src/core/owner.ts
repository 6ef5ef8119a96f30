import { MeshError } from './errors.ts'
import { limits } from './limits.ts'
import type { Clock } from './machine.ts'
import { OwnedMap, type RegistryCensus, type RegistrySpec } from './owned-map.ts'

export interface Inventory {
  readonly registries: readonly RegistryCensus[]
  readonly resources: readonly HeldResource[]
}

export interface HeldResource {
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
type Held =
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
  readonly #held = new Set<Held>()
  #closing: Promise<readonly CloseStep[]> | undefined
  /** Takes this owner off its parent's list, once nothing is left of it. */
  #leave: () => void = () => {}

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
    this.#hold({ kind: 'map', name: spec.name, map })
    return map
  }

  child(name: string): Owner {
    const child = new Owner(`${this.name}/${name}`, this.#clock)
    const held = this.#hold({ kind: 'owner', name, child })
    child.#leave = () => this.#drop(held)
    return child
  }

  /** Calls `run` once after `ms` unless cancelled, by the returned function or by closing. */
  after(ms: number, run: () => void): () => void {
    this.#mayHold('timer')
    const cancel = this.#clock.after(ms, () => {
      this.#drop(held)
      run()
    })
    const held: Held = { kind: 'timer', name: `after ${ms} ms`, cancel }
    this.#held.add(held)
    return () => {
      this.#drop(held)
      cancel()
    }
  }

  /**
   * Takes on a resource: `close` is called once, when this owner closes or when the returned function is called,
   * whichever is first. That function's promise settles when `close` has, or rejects with MESH_STEP_TIMEOUT after
   * `limitMs`. A resource whose `close` does not settle stays in the inventory until it does.
   */
  adopt(name: string, close: () => void | Promise<void>, limitMs = 1_000): () => Promise<void> {
    let released: Promise<void> | undefined
    const run = async () => {
      try {
        await close()
      } finally {
        this.#drop(held)
      }
    }
    const release = () => {
      released ??= within(this.#clock, name, limitMs, run)
      return released
    }
    const held = this.#hold({ kind: 'resource', name, release })
    return release
  }

  /** Everything held now, children's included. */
  inventory(): Inventory {
    const registries: RegistryCensus[] = []
    const resources: HeldResource[] = []
    for (const held of this.#held) {
      if (held.kind === 'map') {
        registries.push(held.map.census(this.#clock.now()))
        continue
      }
      resources.push({ owner: this.name, kind: held.kind, name: held.name })
      if (held.kind !== 'owner') continue
      const inner = held.child.inventory()
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
    const failed = (await this.close()).flatMap(({ name, error }) => (error === undefined ? [] : [`${name}: ${error}`]))
    if (failed.length === 0) return
    throw new MeshError('MESH_RELEASE_FAILED', { owner: this.name, steps: failed.join('; ') })
  }

  async #close(): Promise<readonly CloseStep[]> {
    this.#cancelTimers()
    this.#abort.abort(new MeshError('MESH_OWNER_CLOSED', { owner: this.name, resource: 'work' }))
    const steps: CloseStep[] = []
    for (const held of [...this.#held].reverse()) {
      if (held.kind === 'owner') {
        const inner = await held.child.close()
        steps.push(...inner.map((step) => ({ ...step, name: `${held.name}/${step.name}` })))
      } else if (held.kind !== 'timer') steps.push(await this.#step(held))
    }
    if (this.#held.size === 0) this.#leave()
    return steps
  }

  /** Deeply, and before anything else: no timer may fire into what is half closed. */
  #cancelTimers(): void {
    for (const held of [...this.#held]) {
      if (held.kind === 'owner') held.child.#cancelTimers()
      if (held.kind !== 'timer') continue
      this.#held.delete(held)
      held.cancel()
    }
  }

  async #step(held: Extract<Held, { kind: 'map' | 'resource' }>): Promise<CloseStep> {
    const began = this.#clock.now()
    try {
      if (held.kind === 'resource') await held.release()
      else this.#closeMap(held)
      return { name: held.name, durationMs: this.#clock.now() - began }
    } catch (error) {
      return { name: held.name, durationMs: this.#clock.now() - began, error: describe(error) }
    }
  }

  #closeMap(held: Extract<Held, { kind: 'map' }>): void {
    this.#drop(held)
    held.map.close()
  }

  #hold<H extends Held>(held: H): H {
    this.#mayHold(held.name)
    this.#held.add(held)
    return held
  }

  #mayHold(resource: string): void {
    if (this.closed) throw new MeshError('MESH_OWNER_CLOSED', { owner: this.name, resource })
    if (this.#held.size < limits.held) return
    throw new MeshError('MESH_LIMIT_REACHED', { limit: `what ${this.name} may hold`, value: limits.held })
  }

  #drop(held: Held): void {
    this.#held.delete(held)
    if (this.closed && this.#held.size === 0) this.#leave()
  }
}

/** Settles as `run` does, or rejects after `ms`; `run` itself cannot be stopped. */
function within(clock: Clock, step: string, ms: number, run: () => Promise<void>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const cancel = clock.after(ms, () => reject(new MeshError('MESH_STEP_TIMEOUT', { step, ms })))
  run().finally(cancel).then(resolve, reject)
  return promise
}

function describe(error: unknown): string {
  if (error instanceof MeshError) return `${error.code}: ${error.message}`
  return error instanceof Error ? error.message : String(error)
}
