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
  readonly changed: () => void
}

/** Milliseconds, and characters of what it said last. */
const bounds = { readyMs: 60_000, stopMs: 20_000, lookMs: 50, askMs: 2_000, saidChars: 16_000 }

/** One program of the stack that can be stopped, killed and started again, at the same place and with the same data. */
export class ServiceProcess {
  readonly #options: ServiceOptions
  #process: ChildProcess | undefined
  #ended: Promise<void> = Promise.resolve()
  #said = ''

  constructor(options: ServiceOptions) {
    this.#options = options
  }

  /** Undefined while it does not run. */
  get pid(): number | undefined {
    const child = this.#process
    return child?.exitCode === null && child.signalCode === null ? child.pid : undefined
  }

  /** What it said last, 16,000 characters at most. */
  get said(): string {
    return this.#said
  }

  /** Resolves when it is ready; one that runs is left alone. Throws MESH_STACK_FAILED when it is not ready in time. */
  async start(): Promise<void> {
    if (this.pid === undefined) this.#spawn()
    const { readyMs = bounds.readyMs } = this.#options
    const limit = performance.now() + readyMs
    while (!(await this.#ready())) {
      if (this.pid === undefined) throw this.#failed('it ended')
      if (performance.now() > limit) {
        await this.end('SIGKILL')
        throw this.#failed(`${this.#options.readyUrl} did not answer within ${readyMs} ms`)
      }
      await sleep(bounds.lookMs)
    }
  }

  /** Resolves when its process is gone; one that takes SIGTERM for longer than 20 s is killed. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (this.pid === undefined) return this.#ended
    const child = this.#process
    child?.kill(signal)
    // Of one that was paused nothing would be seen.
    child?.kill('SIGCONT')
    const timer = setTimeout(() => child?.kill('SIGKILL'), bounds.stopMs)
    await this.#ended.finally(() => clearTimeout(timer))
  }

  #spawn(): void {
    const { binary, args, env, group, changed } = this.#options
    const [program, words] =
      group === undefined ? [binary, args] : ['/bin/sh', ['-c', 'echo $$ >"$0" && exec "$@"', group, binary, ...args]]
    // A session of its own: a Ctrl-C is for who started it, who stops it in order.
    const child = spawn(program, words, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#process = child
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => this.#say(text))
    this.#ended = new Promise((resolve) => {
      child.once('error', (error) => {
        this.#say(error.message)
        resolve()
      })
      child.once('close', () => resolve())
    })
    void this.#ended.then(changed)
    changed()
  }

  #say(text: string): void {
    this.#said = (this.#said + text).slice(-bounds.saidChars)
  }

  async #ready(): Promise<boolean> {
    try {
      const answer = await fetch(this.#options.readyUrl, { signal: AbortSignal.timeout(bounds.askMs) })
      await answer.body?.cancel()
      return answer.ok
    } catch {
      return false
    }
  }

  #failed(why: string): MeshError {
    const last = this.#said.trim().split('\n').slice(-3).join(' ').slice(-600)
    return new MeshError('MESH_STACK_FAILED', {
      service: this.#options.name,
      why: `${why}; it said: ${last || 'nothing'}`,
    })
  }
}
