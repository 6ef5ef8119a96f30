import { MeshError } from '../core/errors.ts'
import type { Clock } from '../core/machine.ts'
import { Child, type ChildEnd, type LogEntry, reasonIn } from '../lab/child.ts'
import { count, newTally, type Tally } from '../lab/tally.ts'

export interface DrillNodeOptions {
  readonly name: string
  readonly clock: Clock
  readonly entry: string
  /** Command line at every start. */
  readonly args: readonly string[]
  /** Called when it begins and when it ends. */
  readonly changed: () => void
  /** It ended, and nobody had asked for that. */
  readonly lost: (why: string) => void
}

interface Waiting {
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
  #waiting: readonly Waiting[] = []
  #asked = false
  tally: Tally = newTally()

  constructor(options: DrillNodeOptions) {
    this.#options = options
  }

  get name(): string {
    return this.#options.name
  }

  get pid(): number {
    return this.#child?.running ? this.#child.pid : 0
  }

  /** Resolves when it listens. Throws MESH_LAB_REFUSED when it ends before, MESH_STEP_TIMEOUT when it takes too long. */
  start(...further: readonly string[]): Promise<void> {
    const { entry, args, changed } = this.#options
    this.tally = newTally()
    this.#asked = false
    const listening = this.said('listening', listenMs)
    this.#child = new Child({
      entry,
      args: [...args, ...further],
      line: (line) => this.#line(line),
      ended: (end) => this.#ended(end),
    })
    changed()
    return listening
  }

  /** Resolves when the log has a line of this text; throws as `start` does, also when the node is stopped before. */
  said(text: string, withinMs: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const { clock, name } = this.#options
    const late = new MeshError('MESH_STEP_TIMEOUT', { step: `${name} saying ${text}`, ms: withinMs })
    const cancel = clock.after(withinMs, () => waiting.settle(late))
    const waiting: Waiting = {
      text,
      settle: (error) => {
        cancel()
        this.#waiting = this.#waiting.filter((one) => one !== waiting)
        if (error === undefined) resolve()
        else reject(error)
      },
    }
    this.#waiting = [...this.#waiting, waiting]
    return promise
  }

  /** As if the power had gone. */
  async kill(): Promise<void> {
    this.#asked = true
    this.#child?.signal('SIGKILL')
    await this.#child?.ended
  }

  pause(): void {
    this.#child?.signal('SIGSTOP')
  }

  resume(): void {
    this.#child?.signal('SIGCONT')
  }

  /** It says goodbye; one that does not end within 6 s is killed. */
  async stop(): Promise<void> {
    this.#asked = true
    await this.#child?.stop(stopMs)
  }

  #line(entry: LogEntry): void {
    count(this.tally, entry)
    for (const waiting of this.#waiting) if (waiting.text === entry['msg']) waiting.settle()
  }

  #ended({ code, signal, errors }: ChildEnd): void {
    const why = `it ended with ${signal ?? code}: ${reasonIn(errors)}`
    const error = new MeshError('MESH_LAB_REFUSED', { what: `${this.name} is gone`, why })
    for (const waiting of this.#waiting) waiting.settle(error)
    this.#options.changed()
    if (!this.#asked) this.#options.lost(`${this.name}: ${why}`)
  }
}
