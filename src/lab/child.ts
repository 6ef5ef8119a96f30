import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { processSettings } from '../launcher.js'

export type LogEntry = Readonly<Record<string, unknown>>

export interface ChildOptions {
  /** Module to run. */
  readonly entry: string
  readonly args: readonly string[]
  /** Each line of its standard output. */
  readonly onLine: (entry: LogEntry) => void
  readonly onExit: (end: ChildExit) => void
}

export interface ChildExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** Last of its standard error, at most 2,000 characters. */
  readonly errors: string
}

const errorChars = 2_000

/** A process of the lab. It ends with the lab, whose end closes the channel between them. */
export class Child {
  readonly #process: ChildProcess
  readonly #closed = Promise.withResolvers<void>()
  #errors = ''
  #isOver = false

  constructor({ entry, args, onLine, onExit }: ChildOptions) {
    const flags = [processSettings.flag, '--disable-warning=ExperimentalWarning']
    this.#process = spawn(process.execPath, [...flags, entry, ...args], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: childEnvironment(),
      // A Ctrl-C is the lab's: the store has to outlive the nodes, which have to say goodbye.
      detached: process.platform !== 'win32',
    })
    if (this.#process.stdout !== null) {
      createInterface({ input: this.#process.stdout }).on('line', (text) => onLine(parseLine(text)))
    }
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-errorChars)
    })
    const reportExit = (code: number | null, signal: NodeJS.Signals | null, errors: string) => {
      if (this.#isOver) return
      this.#isOver = true
      this.#closed.resolve()
      onExit({ code, signal, errors })
    }
    // With a process, it is only a signal or its channel that failed.
    this.#process.on('error', (error) => {
      if (this.pid === 0) reportExit(null, null, error.message)
    })
    // Once all it said has been read.
    this.#process.once('close', (code, signal) => reportExit(code, signal, this.#errors))
  }

  /** 0 when it could not be started. */
  get pid(): number {
    return this.#process.pid ?? 0
  }

  get isRunning(): boolean {
    return this.pid !== 0 && this.#process.exitCode === null && this.#process.signalCode === null
  }

  /** Whether it has ended and all its output is read. */
  get isClosed(): boolean {
    return this.#isOver
  }

  /** Resolves when it is over. */
  get closed(): Promise<void> {
    return this.#closed.promise
  }

  signal(signal: NodeJS.Signals): void {
    if (this.isRunning) this.#process.kill(signal)
  }

  /** Asks it to stop, wakes it if it sleeps, and kills it after `withinMs`. */
  async stop(withinMs: number): Promise<void> {
    if (!this.isRunning) return this.closed
    this.signal('SIGTERM')
    this.signal('SIGCONT')
    const timer = setTimeout(() => this.signal('SIGKILL'), withinMs)
    await this.closed.finally(() => clearTimeout(timer))
  }
}

/** The line of a standard error that says what went wrong; of a stack trace the first. */
export function exitReason(errors: string): string {
  const lines = errors.split('\n').filter((line) => line.trim() !== '')
  return (lines.find((line) => /^(\w*Error|MESH_\w+)\b/.test(line)) ?? lines.at(-1) ?? 'it said nothing').slice(0, 500)
}

/** Settings of a node that somebody has in their environment are not meant for the lab's. */
function childEnvironment(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(MESH|OTEL|NODE)_/.test(name) || /^NODE_EXTRA/.test(name),
  )
  return { ...Object.fromEntries(inherited), ...processSettings.env }
}

function parseLine(text: string): LogEntry {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as LogEntry) : { msg: text }
  } catch {
    return { msg: text }
  }
}
