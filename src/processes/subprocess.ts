import { type ChildProcess, type SendHandle, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { raceAbort } from '../kit/clock.ts'

export interface SubprocessOptions {
  /** Subject of the errors about it. */
  readonly name: string
  /** The program and its arguments. */
  readonly command: readonly string[]
  /** By default those of this process. */
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  /** Opens its standard input, for `write`; otherwise that is empty. */
  readonly input?: boolean
  /** Opens an IPC channel, for `send`. The channel closes when this process ends, however that happens. */
  readonly ipc?: boolean
  /** A process group of its own: a Ctrl-C reaches only this process, and `signal` reaches all of the group. */
  readonly ownGroup?: boolean
  /** Characters of output to keep for errors; 8,000 by default. */
  readonly outputChars?: number
  /** Each line of its standard output. Without it `output` has the standard output, too. */
  readonly onLine?: (line: string) => void
  /** Each line of its standard error. */
  readonly onErrorLine?: (line: string) => void
  readonly onMessage?: (message: unknown, handle: SendHandle) => void
  readonly onExit?: (exit: Exit) => void
}

/** The end of a subprocess. Without a code and a signal it did not start. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** See `Subprocess.output`. */
  readonly output: string
}

/** A child process: its output, its start and its end. */
export class Subprocess {
  readonly name: string
  readonly #process: ChildProcess
  readonly #ownGroup: boolean
  readonly #outputChars: number
  readonly #exited = Promise.withResolvers<Exit>()
  readonly #ended = new AbortController()
  #output = ''

  constructor({ name, command, env, cwd, onExit, ...options }: SubprocessOptions) {
    const [program = '', ...args] = command
    this.name = name
    this.#outputChars = options.outputChars ?? 8_000
    this.#ownGroup = options.ownGroup === true && process.platform !== 'win32'
    this.#process = spawn(program, args, {
      stdio: [options.input ? 'pipe' : 'ignore', 'pipe', 'pipe', ...(options.ipc ? ['ipc' as const] : [])],
      detached: this.#ownGroup,
      ...(env !== undefined && { env }),
      ...(cwd !== undefined && { cwd }),
    })
    const { stdin, stdout, stderr } = this.#process
    // A write after its exit fails; the exit itself is reported.
    stdin?.on('error', () => {})
    const record = (text: string) => {
      this.#output = (this.#output + text).slice(-this.#outputChars)
    }
    if (options.onLine === undefined) stdout?.setEncoding('utf8').on('data', record)
    else if (stdout !== null) createInterface({ input: stdout }).on('line', options.onLine)
    stderr?.setEncoding('utf8').on('data', record)
    if (options.onErrorLine !== undefined && stderr !== null)
      createInterface({ input: stderr }).on('line', options.onErrorLine)
    if (options.onMessage !== undefined) this.#process.on('message', options.onMessage)
    const end = (code: number | null, signal: NodeJS.Signals | null) => {
      if (this.isClosed) return
      const exit = { code, signal, output: this.#output }
      const how = this.pid === 0 ? 'failed to start' : `exited with ${signal ?? code}`
      this.#ended.abort(new Error(`${name} ${how}: ${this.#output || 'no output'}`))
      this.#exited.resolve(exit)
      onExit?.(exit)
    }
    // If the process exists, only a signal or its channel failed.
    this.#process.on('error', (error) => {
      if (this.pid !== 0) return
      record(error.message)
      end(null, null)
    })
    // 'close' follows after all output is read.
    this.#process.once('close', end)
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
    return this.#ended.signal.aborted
  }

  /** Resolves when the process has exited and all its output is read. */
  get exited(): Promise<Exit> {
    return this.#exited.promise
  }

  /** Aborts with `exited`; its reason is an error with the exit code and the output. */
  get ended(): AbortSignal {
    return this.#ended.signal
  }

  /** The end of its standard error; of both outputs in their order without `onLine`. */
  get output(): string {
    return this.#output
  }

  /**
   * Resolves like `sign`, by which the process shows that it is ready. When it exits before or after `limitMs`, kills it
   * and rejects with its output; when `signal` aborts, kills it and rejects with the reason.
   */
  async ready<T>(sign: Promise<T>, limitMs: number, signal: AbortSignal = this.ended): Promise<T> {
    const limit = AbortSignal.timeout(limitMs)
    try {
      return await raceAbort(AbortSignal.any([this.ended, limit, signal]), sign)
    } catch (error) {
      const isLate = limit.aborted && !this.isClosed
      this.signal('SIGKILL')
      await this.exited
      throw isLate
        ? new Error(`${this.name} was not ready within ${limitMs} ms: ${this.#output || 'no output'}`)
        : error
    }
  }

  /** Writes to its standard input. */
  write(text: string): void {
    this.#process.stdin?.write(text)
  }

  /** Sends a message over its IPC channel, if that is still open. */
  send(message: object): void {
    if (this.#process.connected) this.#process.send(message)
  }

  /** Signals the process while it runs, and its own group until all output is read. */
  signal(signal: NodeJS.Signals): void {
    if (!this.#ownGroup) {
      if (this.isRunning) this.#process.kill(signal)
      return
    }
    if (this.isClosed || this.pid === 0) return
    try {
      process.kill(-this.pid, signal)
    } catch {
      // The last process of the group has just exited.
    }
  }

  /** Sends SIGTERM or `signal`, resumes a paused process, and sends SIGKILL after `withinMs`. */
  stop(withinMs: number, signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    this.signal(signal)
    this.signal('SIGCONT')
    return this.exitWithin(withinMs)
  }

  /** Closes its standard input, as a request to exit, and sends SIGKILL after `withinMs`. */
  endInput(withinMs: number): Promise<Exit> {
    this.#process.stdin?.end()
    return this.exitWithin(withinMs)
  }

  /** Waits for its exit, and sends SIGKILL after `withinMs`. */
  exitWithin(withinMs: number): Promise<Exit> {
    const timer = setTimeout(() => this.signal('SIGKILL'), withinMs)
    return this.exited.finally(() => clearTimeout(timer))
  }
}

/** `with` the signal or code of the exit, and the line of output with its reason. */
export function describeExit({ code, signal, output }: Exit): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '')
  // The first line of a stack trace, or the last line.
  const reason = lines.find((line) => /^(\w*Error|MESH_\w+)\b/.test(line)) ?? lines.at(-1) ?? 'no output on stderr'
  return `with ${signal ?? code}: ${reason.slice(0, 500)}`
}
