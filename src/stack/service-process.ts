import { MeshError } from '../core/errors.ts'
import { Subprocess } from '../processes/subprocess.ts'
import { until } from '../processes/waiting.ts'

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
const bounds = { readyMs: 60_000, stopMs: 20_000, requestMs: 2_000, outputChars: 16_000 }

/** One program of the stack; it can stop, be killed and start again with the same addresses and data. */
export class ServiceProcess {
  readonly #options: ServiceOptions
  #process: Subprocess | undefined

  constructor(options: ServiceOptions) {
    this.#options = options
  }

  /** Undefined while the process does not run. */
  get pid(): number | undefined {
    return this.#process?.isRunning ? this.#process.pid : undefined
  }

  /** Last output, at most 16,000 characters. */
  get output(): string {
    return this.#process?.output ?? ''
  }

  /** Starts the process unless it runs; resolves when it is ready. Throws MESH_STACK_FAILED after the limit. */
  async start(): Promise<void> {
    const child = this.#process?.isRunning ? this.#process : this.#spawn()
    const { name, readyUrl, readyMs = bounds.readyMs } = this.#options
    try {
      await until(() => answers(readyUrl), readyMs, `an answer of ${readyUrl}`, child.ended)
    } catch (error) {
      const why = child.isClosed ? 'it exited' : (error as Error).message
      await this.end('SIGKILL')
      const last = child.output.trim().split('\n').slice(-3).join(' ').slice(-600)
      throw new MeshError('MESH_STACK_FAILED', { service: name, why: `${why}; last output: ${last || 'none'}` })
    }
  }

  /** Resolves when the process has exited; kills it 20 s after SIGTERM. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await this.#process?.stop(bounds.stopMs, signal)
  }

  #spawn(): Subprocess {
    const { name, binary, args, env, group, onChange } = this.#options
    const command = [binary, ...args]
    const child = new Subprocess({
      name,
      command: group === undefined ? command : ['/bin/sh', '-c', 'echo $$ >"$0" && exec "$@"', group, ...command],
      env,
      outputChars: bounds.outputChars,
      // Ctrl-C must reach only this process, which stops it in order.
      ownGroup: true,
      onExit: onChange,
    })
    this.#process = child
    onChange()
    return child
  }
}

async function answers(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(bounds.requestMs) })
  await response.body?.cancel()
  return response.ok
}
