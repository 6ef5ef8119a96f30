import type { Clock } from '../core/machine.ts'

/** Resource usage of the process. */
export interface Vitals {
  /** Resident memory, bytes. */
  readonly memoryBytes: number
  /** JavaScript heap in use, bytes. */
  readonly heapBytes: number
  /** CPU seconds since the process began, user and system, of all threads. */
  readonly cpuSeconds: number
  /** Event-loop delay since the previous reading, seconds. */
  readonly loopDelayP99: number
  readonly loopDelayMax: number
  readonly sockets: number
  readonly timers: number
}

/**
 * Reads the resource usage of the process.
 *
 * Event-loop delay comes from the timers that run anyway: Node's own histogram (`monitorEventLoopDelay`) wakes an idle
 * process at every step of its resolution.
 */
export class VitalsReader {
  readonly #timerDelays = new DelayHistogram()

  /** A timer fired this many milliseconds after its time. */
  recordTimerDelay(ms: number): void {
    this.#timerDelays.record(ms)
  }

  read(): Vitals {
    const { user, system } = process.cpuUsage()
    const { rss, heapUsed } = process.memoryUsage()
    const delay = this.#timerDelays.collect()
    const resources = process.getActiveResourcesInfo()
    return {
      memoryBytes: rss,
      heapBytes: heapUsed,
      cpuSeconds: seconds((user + system) / 1_000),
      loopDelayP99: seconds(delay.p99),
      loopDelayMax: seconds(delay.max),
      sockets: resources.filter((name) => sockets.includes(name)).length,
      timers: resources.filter((name) => name === 'Timeout').length,
    }
  }
}

/** Node's names of TCP connections and listeners, UDP sockets and pipes. QUIC's sockets are native and not listed. */
const sockets: readonly string[] = ['TCPSocketWrap', 'TCPServerWrap', 'UDPWrap', 'PipeWrap']

/** Converts milliseconds to seconds, rounded to a tenth of a millisecond. */
function seconds(ms: number): number {
  return Math.round(ms * 10) / 10_000
}

/** Upper edges of the buckets, in milliseconds; one more bucket counts everything longer. */
const edges = [1, 2, 3, 5, 8, 13, 20, 35, 50, 80, 130, 200, 350, 500, 800, 1_300, 2_000, 5_000, 10_000] as const

/** A histogram of fixed size of how late timers fire. */
export class DelayHistogram {
  readonly #counts = new Array<number>(edges.length + 1).fill(0)
  #max = 0
  #count = 0

  record(ms: number): void {
    const bucket = edges.findIndex((edge) => ms <= edge)
    const index = bucket === -1 ? edges.length : bucket
    this.#counts[index] = (this.#counts[index] ?? 0) + 1
    this.#max = Math.max(this.#max, ms)
    this.#count++
  }

  /** Returns the maximum, and the 99th percentile as the upper edge of its bucket, at most the maximum. Then resets. */
  collect(): { readonly p99: number; readonly max: number } {
    const rank = Math.ceil(this.#count * 0.99)
    let cumulative = 0
    const index = this.#counts.findIndex((count) => {
      cumulative += count
      return cumulative >= rank && rank > 0
    })
    const result = { p99: Math.min(this.#max, edges[index] ?? this.#max), max: this.#max }
    this.#counts.fill(0)
    this.#max = 0
    this.#count = 0
    return result
  }
}

/** Wraps a clock to measure event-loop delay: each timer reports how late it fired, so no extra wake-up is needed. */
export function measuredClock(clock: Clock, onDelay: (ms: number) => void): Clock {
  return {
    now: () => clock.now(),
    wall: () => clock.wall(),
    after: (ms, run) => {
      const due = clock.now() + ms
      return clock.after(ms, () => {
        onDelay(Math.max(0, clock.now() - due))
        run()
      })
    },
  }
}
