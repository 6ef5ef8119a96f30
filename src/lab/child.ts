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
  /** The end of its standard error, at most 2,000 characters. */
  readonly errors: string
}

const errorChars = 2_000

/** A process of the lab. It stops when the lab exits, since that closes their IPC channel. */
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
      // Only the lab gets a Ctrl-C: it stops the nodes first and the store last.
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
    // If the process exists, only a signal or its channel failed.
    this.#process.on('error', (error) => {
      if (this.pid === 0) reportExit(null, null, error.message)
    })
    // 'close' follows after all output is read.
    this.#process.once('close', (code, signal) => reportExit(code, signal, this.#errors))
  }

  /** 0 when the start failed. */
  get pid(): number {
    return this.#process.pid ?? 0
  }

  get isRunning(): boolean {
    return this.pid !== 0 && this.#process.exitCode === null && this.#process.signalCode === null
  }

  /** Whether the process has exited and all its output is read. */
  get isClosed(): boolean {
    return this.#isOver
  }

  /** Resolves when the process has exited and all its output is read. */
  get closed(): Promise<void> {
    return this.#closed.promise
  }

  signal(signal: NodeJS.Signals): void {
    if (this.isRunning) this.#process.kill(signal)
  }

  /** Sends SIGTERM, resumes a paused process, and sends SIGKILL after `withinMs`. */
  async stop(withinMs: number): Promise<void> {
    if (!this.isRunning) return this.closed
    this.signal('SIGTERM')
    this.signal('SIGCONT')
    const timer = setTimeout(() => this.signal('SIGKILL'), withinMs)
    await this.closed.finally(() => clearTimeout(timer))
  }
}

/** The line of standard error with the reason: the first line of a stack trace, or the last line. */
export function exitReason(errors: string): string {
  const lines = errors.split('\n').filter((line) => line.trim() !== '')
  return (lines.find((line) => /^(\w*Error|MESH_\w+)\b/.test(line)) ?? lines.at(-1) ?? 'no output on stderr').slice(
    0,
    500,
  )
}

/** Settings of a node in the user's environment must not apply to the lab's nodes. */
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
