import type { Clock } from '../core/machine.ts'
import type { VirtualClock } from './virtual-clock.ts'

interface Job {
  /** Undefined once run or cancelled. */
  run: (() => void) | undefined
}

/** What a stopped process's sockets can hold; the rest is lost, as in a kernel. */
const arrivalsMax = 8_192

/**
 * An operating-system process as far as time can tell: it runs, it is stopped (SIGSTOP) or it is dead (SIGKILL).
 * Everything a node does passes through here, so a stopped one does nothing until it wakes and a dead one nothing ever.
 */
export class SimProcess {
  /** The clock of this process: its timers stand still while it is stopped, its time does not. */
  readonly clock: Clock
  /** Milliseconds by which its wall clock is ahead of the world's. */
  skewMs = 0
  #state: 'running' | 'stopped' | 'dead' = 'running'
  #since: number
  readonly #world: VirtualClock
  #timers: Job[] = []
  #arrivals: (() => void)[] = []

  constructor(world: VirtualClock) {
    this.#world = world
    this.#since = world.now()
    this.clock = {
      now: () => world.now(),
      wall: () => world.wall() + this.skewMs,
      after: (ms, run) => this.#after(ms, run),
    }
  }

  get running(): boolean {
    return this.#state === 'running'
  }

  get alive(): boolean {
    return this.#state !== 'dead'
  }

  /** Since when it has not run, by the world's clock; Infinity while it runs. */
  get silentSince(): number {
    return this.#state === 'running' ? Infinity : this.#since
  }

  /** Something reaches the process from outside. */
  arrive(job: () => void): void {
    if (this.#state === 'running') job()
    else if (this.#state === 'stopped' && this.#arrivals.length < arrivalsMax) this.#arrivals.push(job)
  }

  stop(): void {
    if (this.#state !== 'running') return
    this.#state = 'stopped'
    this.#since = this.#world.now()
  }

  /** Overdue timers run first and what arrived meanwhile after them: the order of an event loop that wakes. */
  wake(): void {
    if (this.#state !== 'stopped') return
    this.#state = 'running'
    const timers = this.#timers
    const arrivals = this.#arrivals
    this.#timers = []
    this.#arrivals = []
    for (const timer of timers) this.#due(timer)
    for (const job of arrivals) this.arrive(job)
  }

  kill(): void {
    if (this.#state === 'running') this.#since = this.#world.now()
    this.#state = 'dead'
    this.#timers = []
    this.#arrivals = []
  }

  #after(ms: number, run: () => void): () => void {
    const job: Job = { run }
    const cancel = this.#world.after(ms, () => this.#due(job))
    return () => {
      job.run = undefined
      cancel()
    }
  }

  #due(job: Job): void {
    const { run } = job
    if (this.#state === 'stopped') this.#timers.push(job)
    if (this.#state !== 'running' || run === undefined) return
    job.run = undefined
    run()
  }
}
