import { MeshError } from '../core/errors.ts'
import type { Clock } from '../core/machine.ts'
import { Child, type ChildExit, exitReason, type LogEntry } from '../lab/child.ts'
import { count, newTally, type Tally } from '../lab/tally.ts'

export interface DrillNodeOptions {
  readonly name: string
  readonly clock: Clock
  readonly entry: string
  /** Command line at every start. */
  readonly args: readonly string[]
  /** Called when it begins and when it ends. */
  readonly onChange: () => void
  /** It ended, and nobody had asked for that. */
  readonly onUnexpectedExit: (why: string) => void
}

interface LogWaiter {
  readonly text: string
  readonly settle: (error?: Error) => void
}

/** From its start until it listens; a loaded machine takes ten times as long as an idle one. Guess. */
const listenMs = 60_000
const stopMs = 6_000

/** A node of a drill: a process that is started, restarted, paused and killed, and whose log is read. */
export class DrillNode {
  readonly #options: DrillNodeOptions
  #child: Child | undefined
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

  /** Resolves when it listens. Throws MESH_LAB_REFUSED when it ends before, MESH_STEP_TIMEOUT when it takes too long. */
  start(...further: readonly string[]): Promise<void> {
    const { entry, args, onChange } = this.#options
    this.tally = newTally()
    this.#isEndExpected = false
    const listening = this.waitForLog('listening', listenMs)
    this.#child = new Child({
      entry,
      args: [...args, ...further],
      onLine: (line) => this.#onLine(line),
      onExit: (end) => this.#onExit(end),
    })
    onChange()
    return listening
  }

  /** Resolves when the log has a line of this text; throws as `start` does, also when the node is stopped before. */
  waitForLog(text: string, withinMs: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const { clock, name } = this.#options
    const timeout = new MeshError('MESH_STEP_TIMEOUT', { step: `${name} saying ${text}`, ms: withinMs })
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

  /** As if the power had gone. */
  async kill(): Promise<void> {
    this.#isEndExpected = true
    this.#child?.signal('SIGKILL')
    await this.#child?.closed
  }

  pause(): void {
    this.#child?.signal('SIGSTOP')
  }

  resume(): void {
    this.#child?.signal('SIGCONT')
  }

  /** It says goodbye; one that does not end within 6 s is killed. */
  async stop(): Promise<void> {
    this.#isEndExpected = true
    await this.#child?.stop(stopMs)
  }

  #onLine(entry: LogEntry): void {
    count(this.tally, entry)
    for (const waiter of this.#waiters) if (waiter.text === entry['msg']) waiter.settle()
  }

  #onExit({ code, signal, errors }: ChildExit): void {
    const why = `it ended with ${signal ?? code}: ${exitReason(errors)}`
    const error = new MeshError('MESH_LAB_REFUSED', { what: `${this.name} is gone`, why })
    for (const waiter of this.#waiters) waiter.settle(error)
    this.#options.onChange()
    if (!this.#isEndExpected) this.#options.onUnexpectedExit(`${this.name}: ${why}`)
  }
}
