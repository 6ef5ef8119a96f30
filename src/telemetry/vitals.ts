import { DelayHistogram } from './delay-histogram.ts'

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
