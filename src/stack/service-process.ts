import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { MeshError } from '../core/errors.ts'

export interface ServiceOptions {
  readonly name: string
  readonly binary: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Answers with success once the service can be used. */
  readonly readyUrl: string
  /** Milliseconds until it has to be ready, a minute unless given. */
  readonly readyMs?: number
  /** `cgroup.procs` of a control group that it is in from its first moment: what it may take it reads when it starts. */
  readonly group?: string
  /** Called whenever its process has begun or ended. */
  readonly onChange: () => void
}

/** Milliseconds, and characters of what it said last. */
const bounds = { readyMs: 60_000, stopMs: 20_000, pollMs: 50, requestMs: 2_000, outputChars: 16_000 }

/** One program of the stack that can be stopped, killed and started again, at the same place and with the same data. */
export class ServiceProcess {
  readonly #options: ServiceOptions
  #process: ChildProcess | undefined
  #closed: Promise<void> = Promise.resolve()
  #output = ''

  constructor(options: ServiceOptions) {
    this.#options = options
  }

  /** Undefined while it does not run. */
  get pid(): number | undefined {
    const child = this.#process
    return child?.exitCode === null && child.signalCode === null ? child.pid : undefined
  }

  /** What it said last, 16,000 characters at most. */
  get output(): string {
    return this.#output
  }

  /** Resolves when it is ready; one that runs is left alone. Throws MESH_STACK_FAILED when it is not ready in time. */
  async start(): Promise<void> {
    if (this.pid === undefined) this.#spawn()
    const { readyMs = bounds.readyMs } = this.#options
    const limit = performance.now() + readyMs
    while (!(await this.#isReady())) {
      if (this.pid === undefined) throw this.#failure('it ended')
      if (performance.now() > limit) {
        await this.end('SIGKILL')
        throw this.#failure(`${this.#options.readyUrl} did not answer within ${readyMs} ms`)
      }
      await sleep(bounds.pollMs)
    }
  }

  /** Resolves when its process is gone; one that takes SIGTERM for longer than 20 s is killed. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (this.pid === undefined) return this.#closed
    const child = this.#process
    child?.kill(signal)
    // Of one that was paused nothing would be seen.
    child?.kill('SIGCONT')
    const timer = setTimeout(() => child?.kill('SIGKILL'), bounds.stopMs)
    await this.#closed.finally(() => clearTimeout(timer))
  }

  #spawn(): void {
    const { binary, args, env, group, onChange } = this.#options
    const [program, programArgs] =
      group === undefined ? [binary, args] : ['/bin/sh', ['-c', 'echo $$ >"$0" && exec "$@"', group, binary, ...args]]
    // A session of its own: a Ctrl-C is for who started it, who stops it in order.
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
      why: `${why}; it said: ${last || 'nothing'}`,
    })
  }
}
