import { Lateness } from './lateness.ts'

/** How the process fares. */
export interface Vitals {
  /** Resident memory, bytes. */
  readonly memoryBytes: number
  /** JavaScript heap in use, bytes. */
  readonly heapBytes: number
  /** CPU seconds since the process began, user and system, of all threads. */
  readonly cpuSeconds: number
  /** Event-loop delay since the reading before, seconds. */
  readonly loopDelayP99: number
  readonly loopDelayMax: number
  readonly sockets: number
  readonly timers: number
}

/**
 * Reads the process.
 *
 * Event-loop delay is the lateness of the timers that run anyway, handed in by `late`: a histogram of the loop's own
 * (`monitorEventLoopDelay`) wakes an idle process at every step of its resolution.
 */
export class VitalsReader {
  readonly #lateness = new Lateness()

  /** A timer fired this many milliseconds after its time. */
  late(ms: number): void {
    this.#lateness.add(ms)
  }

  read(): Vitals {
    const { user, system } = process.cpuUsage()
    const { rss, heapUsed } = process.memoryUsage()
    const delay = this.#lateness.take()
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

/** As Node.js names them: TCP connections and listeners, UDP, pipes. QUIC's sockets are native and not listed. */
const sockets: readonly string[] = ['TCPSocketWrap', 'TCPServerWrap', 'UDPWrap', 'PipeWrap']

/** Of milliseconds, to a tenth of one. */
function seconds(ms: number): number {
  return Math.round(ms * 10) / 10_000
}
