import type { Clock } from '../../core/machine.ts'
import type { VirtualClock } from './virtual-clock.ts'

interface Job {
  /** Undefined once run or cancelled. */
  run: (() => void) | undefined
}

/** Packets that the sockets of a stopped process hold; further ones are lost, as in a kernel. */
const maxArrivals = 8_192

/**
 * A simulated operating-system process: running, stopped (SIGSTOP) or dead (SIGKILL). All actions of a node pass
 * through it, so a stopped node does nothing until it wakes and a dead one nothing any more.
 */
export class SimProcess {
  /** The clock of this process: while the process is stopped, its timers wait but its time goes on. */
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

  /** When it stopped running, by the world's clock; Infinity while it runs. */
  get silentSince(): number {
    return this.#state === 'running' ? Infinity : this.#since
  }

  /** Called when a packet or callback reaches the process. */
  arrive(job: () => void): void {
    if (this.#state === 'running') job()
    else if (this.#state === 'stopped' && this.#arrivals.length < maxArrivals) this.#arrivals.push(job)
  }

  stop(): void {
    if (this.#state !== 'running') return
    this.#state = 'stopped'
    this.#since = this.#world.now()
  }

  /** Runs overdue timers first and queued arrivals after them: the order of an event loop that wakes. */
  wake(): void {
    if (this.#state !== 'stopped') return
    this.#state = 'running'
    const timers = this.#timers
    const arrivals = this.#arrivals
    this.#timers = []
    this.#arrivals = []
    for (const timer of timers) this.#runTimer(timer)
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
    const cancel = this.#world.after(ms, () => this.#runTimer(job))
    return () => {
      job.run = undefined
      cancel()
    }
  }

  #runTimer(job: Job): void {
    const { run } = job
    if (this.#state === 'stopped') this.#timers.push(job)
    if (this.#state !== 'running' || run === undefined) return
    job.run = undefined
    run()
  }
}
