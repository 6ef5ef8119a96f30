import { join } from 'node:path'
import type { Role } from '../catalogue/roles.ts'
import type { Clock } from '../core/machine.ts'
import { freeUdpPorts } from '../lab/free-ports.ts'
import { quicAddress } from '../lab/plan.ts'
import { StartQueue } from '../lab/start-queue.ts'
import { makeWorkspace, type Workspace } from '../lab/workspace.ts'
import { Watchdog } from '../processes/watchdog.ts'
import { DrillNode } from './drill-node.ts'

export interface DrillProcessesOptions {
  /** OTLP endpoint of the nodes. */
  readonly otlp: string
  /** Share of the minutes whose routine spans the nodes export. */
  readonly traceRoutine?: number
  readonly clock: Clock
  /** Receives a message when a node exits unexpectedly. */
  readonly log: (text: string) => void
}

/** One mesh of a drill. */
export interface DrillMesh {
  /** Mesh id, and prefix of the node names. */
  readonly id: string
  /** The first node is a seed. Each keeps its identity over restarts. */
  readonly nodes: readonly DrillNode[]
  /** Listen address of the first node. */
  readonly seed: string
  /** Key file of a node: a second node with the same file has the same identity. */
  identityOf(node: DrillNode): string
  /** Starts these nodes, with a concurrency limit over all meshes; resolves when they listen. */
  start(nodes: readonly DrillNode[], ...further: readonly string[]): Promise<void>
  /** Stops these nodes in order and starts them again. */
  restart(nodes: readonly DrillNode[], ...further: readonly string[]): Promise<void>
  /** Stops all nodes in order. */
  close(): Promise<void>
}

/** Program and directory of the nodes, and the watchdog that kills them after a crash of this process. */
interface Runtime {
  readonly workspace: Workspace
  readonly watchdog: Watchdog
}

/** All processes of all drills, and their files. They end with this process, even when it is killed. */
export class DrillProcesses {
  readonly #options: DrillProcessesOptions
  readonly #queue = new StartQueue()
  #runtime: Promise<Runtime> | undefined
  #nodes: readonly DrillNode[] = []

  constructor(options: DrillProcessesOptions) {
    this.#options = options
  }

  /** A mesh of `size` nodes, not started. `seeded`: all but the first have the first one as their seed. */
  async mesh(id: string, size: number, seeded: boolean): Promise<DrillMesh> {
    const ports = await freeUdpPorts(size)
    // A drill without nodes needs no bundle.
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

  /** Stops every process and removes their files. */
  async close(): Promise<void> {
    await Promise.all([this.#queue.close(), ...this.#nodes.map((node) => node.stop())])
    // Nodes that were starting when the queue closed.
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
      // The drill waits for log lines.
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
