import { Lateness } from './lateness.ts'

/** How the process fares, since the reading before. */
export interface Vitals {
  /** MiB. */
  readonly rssMb: number
  readonly heapMb: number
  /** CPU milliseconds, user and system, of all threads per second. */
  readonly cpuMsPerS: number
  readonly loopDelayP99Ms: number
  readonly loopDelayMaxMs: number
  readonly sockets: number
  readonly timers: number
}

const mib = 1024 * 1024

/**
 * Reads the process. Each `read` covers the time since the last one.
 *
 * Event-loop delay is the lateness of the timers that run anyway, handed in by `late`: a histogram of the loop's own
 * (`monitorEventLoopDelay`) wakes an idle process at every step of its resolution.
 */
export class VitalsReader {
  readonly #lateness = new Lateness()
  #cpu = process.cpuUsage()
  #at = performance.now()

  /** A timer fired this many milliseconds after its time. */
  late(ms: number): void {
    this.#lateness.add(ms)
  }

  read(): Vitals {
    const at = performance.now()
    const { user, system } = process.cpuUsage(this.#cpu)
    const cpuMsPerS = (user + system) / Math.max(1, at - this.#at)
    this.#cpu = process.cpuUsage()
    this.#at = at
    const { rss, heapUsed } = process.memoryUsage()
    const delay = this.#lateness.take()
    const resources = process.getActiveResourcesInfo()
    return {
      rssMb: Math.round(rss / mib),
      heapMb: Math.round(heapUsed / mib),
      cpuMsPerS: tenths(cpuMsPerS),
      loopDelayP99Ms: tenths(delay.p99),
      loopDelayMaxMs: tenths(delay.max),
      sockets: resources.filter((name) => sockets.includes(name)).length,
      timers: resources.filter((name) => name === 'Timeout').length,
    }
  }
}

/** As Node.js names them: TCP connections and listeners, UDP, pipes. QUIC's sockets are native and not listed. */
const sockets: readonly string[] = ['TCPSocketWrap', 'TCPServerWrap', 'UDPWrap', 'PipeWrap']

function tenths(value: number): number {
  return Math.round(value * 10) / 10
}
