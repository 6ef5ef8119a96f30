import { MeshError } from '../core/errors.ts'
import type { Clock } from '../core/machine.ts'
import { count, newTally, type Tally } from '../lab/node-log.ts'
import { type LogEntry, nodeCommand, nodeEnvironment, parseLogLine } from '../processes/node-program.ts'
import { describeExit, type Exit, Subprocess } from '../processes/subprocess.ts'

export interface DrillNodeOptions {
  readonly name: string
  readonly clock: Clock
  readonly entry: string
  /** Command line at every start. */
  readonly args: readonly string[]
  /** Called when the process starts or exits. */
  readonly onChange: () => void
  /** Called when the process exits unexpectedly. */
  readonly onUnexpectedExit: (why: string) => void
}

interface LogWaiter {
  readonly text: string
  readonly settle: (error?: Error) => void
}

/** From the start until the node listens; a loaded machine takes ten times as long as an idle one. Guess. */
const listenMs = 60_000
const stopMs = 6_000

/** A node of a drill: starts, restarts, pauses and kills a process, and reads its log. */
export class DrillNode {
  readonly #options: DrillNodeOptions
  #child: Subprocess | undefined
  #waiters: readonly LogWaiter[] = []
  #isEndExpected = false
  tally: Tally = newTally()

  constructor(options: DrillNodeOptions) {
    this.#options = options
  }

  get name(): string {
    return this.#options.name
  }

  get pid(): number {
    return this.#child?.isRunning ? this.#child.pid : 0
  }

  /** Resolves when the node listens. Throws MESH_LAB_REFUSED when it exits before, MESH_STEP_TIMEOUT when it is slow. */
  start(...further: readonly string[]): Promise<void> {
    const { entry, args, onChange } = this.#options
    this.tally = newTally()
    this.#isEndExpected = false
    const listening = this.waitForLog('listening', listenMs)
    this.#child = new Subprocess({
      name: this.name,
      command: nodeCommand(entry, [...args, ...further]),
      env: nodeEnvironment(),
      ipc: true,
      ownGroup: true,
      onLine: (line) => this.#onLine(parseLogLine(line)),
      onExit: (exit) => this.#onExit(exit),
    })
    onChange()
    return listening
  }

  /** Resolves when the log has a line with this message; throws like `start`, also when the node is stopped before. */
  waitForLog(text: string, withinMs: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const { clock, name } = this.#options
    const timeout = new MeshError('MESH_STEP_TIMEOUT', { step: `${name} logging ${text}`, ms: withinMs })
    const cancel = clock.after(withinMs, () => waiter.settle(timeout))
    const waiter: LogWaiter = {
      text,
      settle: (error) => {
        cancel()
        this.#waiters = this.#waiters.filter((one) => one !== waiter)
        if (error === undefined) resolve()
        else reject(error)
      },
    }
    this.#waiters = [...this.#waiters, waiter]
    return promise
  }

  async kill(): Promise<void> {
    this.#isEndExpected = true
    this.#child?.signal('SIGKILL')
    await this.#child?.exited
  }

  pause(): void {
    this.#child?.signal('SIGSTOP')
  }

  resume(): void {
    this.#child?.signal('SIGCONT')
  }

  /** Stops in order, with goodbyes; SIGKILL follows after 6 s. */
  async stop(): Promise<void> {
    this.#isEndExpected = true
    await this.#child?.stop(stopMs)
  }

  #onLine(entry: LogEntry): void {
    count(this.tally, entry)
    for (const waiter of this.#waiters) if (waiter.text === entry['msg']) waiter.settle()
  }

  #onExit(exit: Exit): void {
    const why = `it exited ${describeExit(exit)}`
    const error = new MeshError('MESH_LAB_REFUSED', { what: `${this.name} is down`, why })
    for (const waiter of this.#waiters) waiter.settle(error)
    this.#options.onChange()
    if (!this.#isEndExpected) this.#options.onUnexpectedExit(`${this.name}: ${why}`)
  }
}
