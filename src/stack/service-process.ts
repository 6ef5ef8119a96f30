import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { MeshError } from '../core/errors.ts'

export interface ServiceOptions {
  readonly name: string
  readonly binary: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Responds with success once the service is ready. */
  readonly readyUrl: string
  /** Milliseconds within which it has to be ready; a minute by default. */
  readonly readyMs?: number
  /** `cgroup.procs` of a control group to start it in: programs read their limits when they start. */
  readonly group?: string
  /** Called whenever its process starts or exits. */
  readonly onChange: () => void
}

/** Limits in milliseconds, and the characters of output to keep. */
const bounds = { readyMs: 60_000, stopMs: 20_000, pollMs: 50, requestMs: 2_000, outputChars: 16_000 }

/** One program of the stack; it can stop, be killed and start again with the same addresses and data. */
export class ServiceProcess {
  readonly #options: ServiceOptions
  #process: ChildProcess | undefined
  #closed: Promise<void> = Promise.resolve()
  #output = ''

  constructor(options: ServiceOptions) {
    this.#options = options
  }

  /** Undefined while the process does not run. */
  get pid(): number | undefined {
    const child = this.#process
    return child?.exitCode === null && child.signalCode === null ? child.pid : undefined
  }

  /** Last output, at most 16,000 characters. */
  get output(): string {
    return this.#output
  }

  /** Starts the process unless it runs; resolves when it is ready. Throws MESH_STACK_FAILED after the limit. */
  async start(): Promise<void> {
    if (this.pid === undefined) this.#spawn()
    const { readyMs = bounds.readyMs } = this.#options
    const limit = performance.now() + readyMs
    while (!(await this.#isReady())) {
      if (this.pid === undefined) throw this.#failure('it exited')
      if (performance.now() > limit) {
        await this.end('SIGKILL')
        throw this.#failure(`${this.#options.readyUrl} did not answer within ${readyMs} ms`)
      }
      await sleep(bounds.pollMs)
    }
  }

  /** Resolves when the process has exited; kills it 20 s after SIGTERM. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (this.pid === undefined) return this.#closed
    const child = this.#process
    child?.kill(signal)
    // A paused process would not handle the signal.
    child?.kill('SIGCONT')
    const timer = setTimeout(() => child?.kill('SIGKILL'), bounds.stopMs)
    await this.#closed.finally(() => clearTimeout(timer))
  }

  #spawn(): void {
    const { binary, args, env, group, onChange } = this.#options
    const [program, programArgs] =
      group === undefined ? [binary, args] : ['/bin/sh', ['-c', 'echo $$ >"$0" && exec "$@"', group, binary, ...args]]
    // Its own session: Ctrl-C must reach only this process, which stops it in order.
    const child = spawn(program, programArgs, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#process = child
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => this.#record(text))
    this.#closed = new Promise((resolve) => {
      child.once('error', (error) => {
        this.#record(error.message)
        resolve()
      })
      child.once('close', () => resolve())
    })
    void this.#closed.then(onChange)
    onChange()
  }

  #record(text: string): void {
    this.#output = (this.#output + text).slice(-bounds.outputChars)
  }

  async #isReady(): Promise<boolean> {
    try {
      const response = await fetch(this.#options.readyUrl, { signal: AbortSignal.timeout(bounds.requestMs) })
      await response.body?.cancel()
      return response.ok
    } catch {
      return false
    }
  }

  #failure(why: string): MeshError {
    const last = this.#output.trim().split('\n').slice(-3).join(' ').slice(-600)
    return new MeshError('MESH_STACK_FAILED', {
      service: this.#options.name,
      why: `${why}; last output: ${last || 'none'}`,
    })
  }
}
