import { createHistogram } from 'node:perf_hooks'
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
  /** Sockets and pipes that Node lists: none of native code. */
  readonly sockets: number
  /** Timers that keep the process alive. */
  readonly timers: number
}

/**
 * Reads the resource usage of the process.
 *
 * Event-loop delay comes from the timers that run anyway: Node's own histogram (`monitorEventLoopDelay`) wakes an idle
 * process at every step of its resolution.
 */
export class VitalsReader {
  /** In microseconds. */
  readonly #timerDelays = createHistogram({ figures: 2 })
  #maxDelayMs = 0

  /** A timer fired this many milliseconds after its time. */
  recordTimerDelay(ms: number): void {
    this.#timerDelays.record(Math.max(1, Math.round(ms * 1_000)))
    this.#maxDelayMs = Math.max(this.#maxDelayMs, ms)
  }

  read(): Vitals {
    const { user, system } = process.cpuUsage()
    const { rss, heapUsed } = process.memoryUsage()
    const maxMs = this.#maxDelayMs
    // The histogram rounds up by as much as a hundredth.
    const p99Ms = Math.min(this.#timerDelays.percentile(99) / 1_000, maxMs)
    this.#timerDelays.reset()
    this.#maxDelayMs = 0
    const resources = process.getActiveResourcesInfo()
    return {
      memoryBytes: rss,
      heapBytes: heapUsed,
      cpuSeconds: seconds((user + system) / 1_000),
      loopDelayP99: seconds(p99Ms),
      loopDelayMax: seconds(maxMs),
      sockets: resources.filter((name) => sockets.includes(name)).length,
      timers: resources.filter((name) => name === 'Timeout').length,
    }
  }
}

/** Node's names of TCP connections and listeners, UDP sockets and pipes. */
const sockets: readonly string[] = ['TCPSocketWrap', 'TCPServerWrap', 'UDPWrap', 'PipeWrap']

/** Converts milliseconds to seconds, rounded to a tenth of a millisecond. */
function seconds(ms: number): number {
  return Math.round(ms * 10) / 10_000
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
