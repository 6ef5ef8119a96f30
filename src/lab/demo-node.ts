import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

export interface DemoNodeOptions {
  readonly name: string
  readonly role: string
  readonly listen: string
  readonly seeds: readonly string[]
  /** Endpoint of a trace receiver, or `off`. */
  readonly otlp: string
  /** Each line that the node logs. */
  readonly line: (name: string, line: Readonly<Record<string, unknown>>) => void
}

/** One node of the demo: the program that runs, once more, as a process of its own. It ends with this one, whose end closes the channel between them. */
export class DemoNode {
  readonly name: string
  readonly #child: ChildProcess

  constructor({ name, role, listen, seeds, otlp, line }: DemoNodeOptions) {
    this.name = name
    const flags = ['--name', name, '--role', role, '--listen', listen, '--otlp', otlp, '--log-level', 'debug']
    const args = [...flags, '--admin', 'off', ...seeds.flatMap((seed) => ['--seed', seed])]
    this.#child = spawn(process.execPath, [...process.execArgv, process.argv[1] ?? '', 'node', ...args], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    })
    if (this.#child.stdout === null) return
    createInterface({ input: this.#child.stdout }).on('line', (text) => line(name, parsed(text)))
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  async stop(): Promise<void> {
    if (!this.running) return
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    await exit
  }
}

function parsed(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    return { msg: text }
  }
}
