import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Role } from '../catalogue/roles.ts'
import { MeshError } from '../core/errors.ts'
import type { Clock } from '../core/machine.ts'
import { count, newTally, type Tally } from '../lab/node-log.ts'
import { quicAddress } from '../lab/plan.ts'
import { StartQueue } from '../lab/start-queue.ts'
import { makeWorkspace, type Workspace } from '../lab/workspace.ts'
import { freeUdpPorts } from '../processes/free-ports.ts'
import { type LogEntry, nodeCommand, nodeEnvironment, parseLogLine } from '../processes/node-program.ts'
import { describeExit, type Exit, Subprocess } from '../processes/subprocess.ts'
import { Watchdog } from '../processes/watchdog.ts'

interface DrillProcessesOptions {
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
  /** Runs the doctor on spans as OTLP in JSON, and emits what it finds. Throws MESH_LAB_REFUSED when it finds nothing. */
  diagnose(spans: string): Promise<void>
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
  #doctors: readonly Subprocess[] = []

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
      diagnose: (spans) => this.#diagnose(id, spans),
      close: async () => void (await Promise.all(nodes.map((node) => node.stop()))),
    }
  }

  /** Stops every process and removes their files. */
  async close(): Promise<void> {
    const doctors = this.#doctors.map((doctor) => doctor.stop(stopMs))
    await Promise.all([this.#queue.close(), ...doctors, ...this.#nodes.map((node) => node.stop())])
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

  async #diagnose(mesh: string, spans: string): Promise<void> {
    const { directory, entry } = (await this.#startRuntime()).workspace
    const file = join(directory, `${mesh}.jsonl`)
    await writeFile(file, spans)
    const command = nodeCommand(entry, ['doctor', '--file', file, '--emit', this.#options.otlp])
    const doctor = new Subprocess({ name: 'the doctor', command, env: nodeEnvironment(), ipc: true, ownGroup: true })
    this.#doctors = [...this.#doctors, doctor]
    const exit = await doctor.exitWithin(doctorMs)
    this.#doctors = this.#doctors.filter((one) => one !== doctor)
    if (exit.code === exitCodeOfFinding) return
    throw new MeshError('MESH_LAB_REFUSED', {
      what: 'the doctor finds nothing',
      why: `it exited ${describeExit(exit)}`,
    })
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

interface DrillNodeOptions {
  readonly name: string
  readonly clock: Clock
  readonly entry: string
  /** Command line at every start. */
  readonly args: readonly string[]
  /** Called when the process starts or exits. */
  readonly onChange: () => void
  /** Called when the process exits unexpectedly. */
  readonly onUnexpectedExit: (why: string) => void
}

interface LogWaiter {
  readonly text: string
  readonly settle: (error?: Error) => void
}

/** From the start until the node listens; a loaded machine takes ten times as long as an idle one. Guess. */
const listenMs = 60_000
const stopMs = 6_000
/** A start, a small file, and the export, on a loaded machine. Guess. */
const doctorMs = 90_000
/** Of `tracemesh doctor`: at least one finding. */
const exitCodeOfFinding = 1

/** A node of a drill: starts, restarts, pauses and kills a process, and reads its log. */
class DrillNode {
  readonly #options: DrillNodeOptions
  #child: Subprocess | undefined
  #waiters: readonly LogWaiter[] = []
  #isEndExpected = false
  tally: Tally = newTally()

  constructor(options: DrillNodeOptions) {
    this.#options = options
  }

  get name(): string {
    return this.#options.name
  }

  get pid(): number {
    return this.#child?.isRunning ? this.#child.pid : 0
  }

  /** Resolves when the node listens. Throws MESH_LAB_REFUSED when it exits before, MESH_STEP_TIMEOUT when it is slow. */
  start(...further: readonly string[]): Promise<void> {
    const { entry, args, onChange } = this.#options
    this.tally = newTally()
    this.#isEndExpected = false
    const listening = this.waitForLog('listening', listenMs)
    this.#child = new Subprocess({
      name: this.name,
      command: nodeCommand(entry, [...args, ...further]),
      env: nodeEnvironment(),
      ipc: true,
      ownGroup: true,
      onLine: (line) => this.#onLine(parseLogLine(line)),
      onExit: (exit) => this.#onExit(exit),
    })
    onChange()
    return listening
  }

  /** Resolves when the log has a line with this message; throws like `start`, also when the node is stopped before. */
  waitForLog(text: string, withinMs: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const { clock, name } = this.#options
    const timeout = new MeshError('MESH_STEP_TIMEOUT', { step: `${name} logging ${text}`, ms: withinMs })
    const cancel = clock.after(withinMs, () => waiter.settle(timeout))
    const waiter: LogWaiter = {
      text,
      settle: (error) => {
        cancel()
        this.#waiters = this.#waiters.filter((one) => one !== waiter)
        if (error === undefined) resolve()
        else reject(error)
      },
    }
    this.#waiters = [...this.#waiters, waiter]
    return promise
  }

  async kill(): Promise<void> {
    this.#isEndExpected = true
    this.#child?.signal('SIGKILL')
    await this.#child?.exited
  }

  pause(): void {
    this.#child?.signal('SIGSTOP')
  }

  resume(): void {
    this.#child?.signal('SIGCONT')
  }

  /** Stops in order, with goodbyes; SIGKILL follows after 6 s. */
  async stop(): Promise<void> {
    this.#isEndExpected = true
    await this.#child?.stop(stopMs)
  }

  #onLine(entry: LogEntry): void {
    count(this.tally, entry)
    for (const waiter of this.#waiters) if (waiter.text === entry['msg']) waiter.settle()
  }

  #onExit(exit: Exit): void {
    const why = `it exited ${describeExit(exit)}`
    const error = new MeshError('MESH_LAB_REFUSED', { what: `${this.name} is down`, why })
    for (const waiter of this.#waiters) waiter.settle(error)
    this.#options.onChange()
    if (!this.#isEndExpected) this.#options.onUnexpectedExit(`${this.name}: ${why}`)
  }
}
