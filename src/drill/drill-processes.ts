import { join } from 'node:path'
import type { Role } from '../catalogue/roles.ts'
import type { Clock } from '../core/machine.ts'
import { freeUdpPorts } from '../lab/free-ports.ts'
import { quicAddress } from '../lab/node-args.ts'
import { StartQueue } from '../lab/start-queue.ts'
import { Watchdog } from '../lab/watchdog.ts'
import { makeWorkspace, type Workspace } from '../lab/workspace.ts'
import { DrillNode } from './drill-node.ts'

export interface DrillProcessesOptions {
  /** Where nodes send their spans. */
  readonly otlp: string
  /** Share of the minutes whose routine spans leave these nodes. */
  readonly traceRoutine?: number
  readonly clock: Clock
  /** Told when a node is gone that nobody has stopped. */
  readonly log: (text: string) => void
}

/** What one mesh of a drill consists of. */
export interface DrillMesh {
  /** Mesh id, and first part of each name. */
  readonly id: string
  /** A seed first. Each keeps its identity over restarts. */
  readonly nodes: readonly DrillNode[]
  /** Where the first node listens. */
  readonly seed: string
  /** Key file of a node: given to another node as well, the two have one identity. */
  identityOf(node: DrillNode): string
  /** Starts these nodes, a few of all meshes at a time; resolves when they listen. */
  start(nodes: readonly DrillNode[], ...further: readonly string[]): Promise<void>
  /** Stops these in order and starts them again. */
  restart(nodes: readonly DrillNode[], ...further: readonly string[]): Promise<void>
  /** Stops everybody in order. */
  close(): Promise<void>
}

/** What nodes run and keep, and who ends them when this process cannot. */
interface Runtime {
  readonly workspace: Workspace
  readonly watchdog: Watchdog
}

/** All processes of all drills, and what they keep on disk. Whatever happens to this process, they end with it. */
export class DrillProcesses {
  readonly #options: DrillProcessesOptions
  readonly #queue = new StartQueue()
  #runtime: Promise<Runtime> | undefined
  #nodes: readonly DrillNode[] = []

  constructor(options: DrillProcessesOptions) {
    this.#options = options
  }

  /** A mesh of so many nodes, none of which is started. `seeded`: all but the first have that one as their seed. */
  async mesh(id: string, size: number, seeded: boolean): Promise<DrillMesh> {
    const ports = await freeUdpPorts(size)
    // A drill without nodes need not wait for the program that they run.
    const runtime = size === 0 ? undefined : await this.#startRuntime()
    const seed = quicAddress(ports[0] ?? 0)
    const nodes = ports.flatMap((port, index) => {
      const own = seeded && index > 0 ? [seed] : []
      const role = index === 0 ? 'seed' : 'compute'
      return runtime === undefined ? [] : [this.#node(runtime, id, `${id}-${index + 1}`, role, port, own)]
    })
    this.#nodes = [...this.#nodes, ...nodes]
    return {
      id,
      nodes,
      seed,
      identityOf: (node) => (runtime === undefined ? '' : keyFile(runtime.workspace, node.name)),
      start: (some, ...further) => this.#start(some, further),
      restart: async (some, ...further) => {
        await Promise.all(some.map((node) => node.stop()))
        await this.#start(some, further)
      },
      close: async () => void (await Promise.all(nodes.map((node) => node.stop()))),
    }
  }

  /** Ends every process and removes what they left. */
  async close(): Promise<void> {
    await Promise.all([this.#queue.close(), ...this.#nodes.map((node) => node.stop())])
    // One that was just being started is there only now.
    await Promise.all(this.#nodes.map((node) => node.stop()))
    const runtime = await this.#runtime?.catch(() => undefined)
    runtime?.watchdog.release()
    runtime?.workspace.remove()
  }

  #startRuntime(): Promise<Runtime> {
    this.#runtime ??= makeWorkspace().then((workspace) => ({
      workspace,
      watchdog: new Watchdog(workspace.directory, false),
    }))
    return this.#runtime
  }

  #node(
    { workspace, watchdog }: Runtime,
    mesh: string,
    name: string,
    role: Role,
    port: number,
    seeds: readonly string[],
  ): DrillNode {
    const { otlp, traceRoutine = 1, clock, log } = this.#options
    const { entry } = workspace
    const args = [
      ...['node', '--name', name, '--role', role, '--mesh', mesh, '--listen', quicAddress(port)],
      ...['--identity', keyFile(workspace, name), '--admin', 'off', '--otlp', otlp],
      ...seeds.flatMap((seed) => ['--seed', seed]),
      ...['--trace-routine', String(traceRoutine)],
      // What the drill waits for is read from the log.
      ...['--log-level', 'trace'],
    ]
    const onChange = () => watchdog.watch(this.#nodes.flatMap(({ pid }) => (pid === 0 ? [] : [pid])))
    return new DrillNode({ name, clock, entry, args, onChange, onUnexpectedExit: log })
  }

  async #start(nodes: readonly DrillNode[], further: readonly string[]): Promise<void> {
    const starting = nodes.map((node) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      this.#queue.add(() => node.start(...further).then(resolve, reject))
      return promise
    })
    await Promise.all(starting)
  }
}

function keyFile({ directory }: Workspace, name: string): string {
  return join(directory, 'keys', `${name}.key`)
}
