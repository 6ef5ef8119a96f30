import { join } from 'node:path'
import type { Role } from '../catalogue/roles.ts'
import { errorMessage, MeshError } from '../core/errors.ts'
import { Owner } from '../core/owner.ts'
import { systemClock } from '../kit/clock.ts'
import type { MeshView, ViewNode } from '../page/mesh-view.ts'
import { freeUdpPorts } from '../processes/free-ports.ts'
import type { LogEntry } from '../processes/node-program.ts'
import { Watchdog } from '../processes/watchdog.ts'
import { LabNode } from './lab-node.ts'
import { Boot, type LabSpan, RecentEvents } from './node-log.ts'
import { checkFaults, furtherArgs, type NodeFaults, type NodeProgram } from './node-options.ts'
import { type LabSize, labTopic, maxNodes, nodeArgs, type PlannedNode, planLab, planOneMore } from './plan.ts'
import { collectGarbage, pollMs, pollNodes, pollTopologies, requestFromNode, survey } from './polls.ts'
import { type LabRecord, recordOf, type Snapshot } from './record.ts'
import { StartQueue } from './start-queue.ts'
import { stopAll } from './stop.ts'
import { externalSink, ownSink, type SinkEvents, type SinkStats, type TraceSink } from './trace-sink.ts'
import { labView, viewNodes } from './view.ts'
import { makeWorkspace, type Workspace } from './workspace.ts'

export interface LabOptions extends LabSize {
  /** Seed of all random decisions. */
  readonly seed: number
  /** OTLP endpoint for spans, or `off`; by default the lab runs its own store. */
  readonly otlp?: string | undefined
  /** URL of `/api/v3` of an external receiver. */
  readonly query?: string | undefined
  readonly jaegerUi?: string | undefined
  /** Directory of key files that outlives the lab; without it all identities are new. */
  readonly identities?: string | undefined
  /** Whether nodes serve profiles: then `collectGarbage` works. */
  readonly profiles?: boolean
  /** What its nodes run; by default `tracemesh node`. */
  readonly program?: NodeProgram
  /** Faults that nodes inject on purpose, by node. */
  readonly faults?: readonly NodeFaults[] | undefined
  /** Whether the watchdog has to restore the terminal when the lab is killed. */
  readonly terminal?: boolean
  /** Receives spans of nodes that are worth a line. */
  readonly onSpan?: (span: LabSpan) => void
  /** Receives messages of the lab itself. */
  readonly log?: (text: string) => void
}

/** The lab polls topologies only while a page watches: the first request costs a node 4 MB and 0.1 s of CPU. */
const watchWindowMs = 10_000

/** Meshes on this machine: starts, watches, disturbs and stops their processes. */
export class Lab {
  readonly options: LabOptions
  readonly #workspace: Workspace
  readonly #watchdog: Watchdog
  readonly #owner = new Owner('lab', systemClock)
  readonly #startedAt: number
  readonly #boot: Boot
  readonly #nodes: LabNode[] = []
  readonly #queue = new StartQueue()
  readonly #events = new RecentEvents()
  readonly #log: (text: string) => void
  #sink: TraceSink = externalSink('off', undefined)
  /** 0 for none. */
  #storePid = 0
  #watchedAt = -Infinity
  #stopping: Promise<LabRecord> | undefined

  private constructor(options: LabOptions, workspace: Workspace, startedAt: number) {
    this.options = options
    this.#workspace = workspace
    this.#startedAt = startedAt
    this.#boot = new Boot(startedAt)
    this.#log = options.log ?? (() => {})
    this.#watchdog = new Watchdog(workspace.directory, options.terminal === true)
  }

  /**
   * Resolves when the first processes start. Throws MESH_LAB_REFUSED when the trace store does not start.
   *
   * @param startedAt Monotonic milliseconds of the lab's start.
   */
  static async start(options: LabOptions, startedAt = performance.now()): Promise<Lab> {
    const lab = new Lab(options, await makeWorkspace(), startedAt)
    try {
      await lab.#start()
      return lab
    } catch (error) {
      await lab.#close()
      throw error
    }
  }

  get query(): string | undefined {
    return this.#sink.query
  }

  /** Module that takes `node …`, `store …` and `soak …`. */
  get entry(): string {
    return this.#workspace.entry
  }

  get otlp(): string {
    return this.#sink.otlp
  }

  /** Newest last. */
  get spans(): readonly LabSpan[] {
    return this.#events.spans
  }

  nodes(): readonly ViewNode[] {
    return viewNodes(this.#nodes)
  }

  /** @param watch Whether the caller needs links: then the lab polls every node now and every 2 s for the next 10 s. */
  view(watch = true): MeshView {
    if (watch && !this.#isWatched) pollTopologies(this.#nodes)
    if (watch) this.#watchedAt = performance.now()
    const { spans, messages } = this.#events
    const ending = this.#stopping !== undefined && { ending: true as const }
    const history = { boot: this.#boot.steps, spans, messages, traces: this.query !== undefined, ...ending }
    return labView(this.#nodes, this.options, history)
  }

  /** Resolves when the process has exited. The methods on one node throw MESH_LAB_UNKNOWN or MESH_LAB_REFUSED. */
  async killNode(name: string): Promise<void> {
    await this.#requireNode(name).kill()
    this.#log(`${name} killed`)
  }

  /** Stops it in order; resolves when the process has exited. */
  async stopNode(name: string): Promise<void> {
    await this.#requireNode(name).stop()
    this.#log(`${name} stopped`)
  }

  async pauseNode(name: string): Promise<void> {
    this.#requireNode(name).pause()
    this.#log(`${name} paused`)
  }

  async resumeNode(name: string): Promise<void> {
    this.#requireNode(name).resume()
    this.#log(`${name} resumed`)
  }

  /** Resolves when the node listens. */
  async startNode(name: string, identity: 'same' | 'fresh'): Promise<void> {
    await this.#startProcess(this.#requireNode(name), identity)
  }

  /** Adds a node; a bridge leads to the mesh after `mesh`. Returns its name before it listens. */
  async spawn(role: Role, mesh: string): Promise<string> {
    const [port = 0] = await freeUdpPorts(1)
    // No await from here on: concurrent calls must see each other's names.
    if (this.#nodes.length >= maxNodes)
      throw new MeshError('MESH_LIMIT_REACHED', { limit: 'nodes of a lab', value: maxNodes })
    const usedNames = this.#nodes.map(({ name }) => name)
    const plan = planOneMore(role, mesh, this.options.meshes, usedNames, this.#elapsed())
    this.#enqueue(this.#add(plan, port))
    return plan.name
  }

  /** Publishes a message from a node to its mesh. Returns the number of direct recipients; they forward it. */
  async publish(name: string, text: string): Promise<{ readonly recipients: number }> {
    const node = this.#requireNode(name)
    const body = JSON.stringify({ topic: labTopic, text })
    const post = { method: 'POST', body, headers: { 'content-type': 'application/json' } }
    const { recipients } = await requestFromNode<{ recipients: number }>(node, 'messages', post)
    this.#events.addPublished(name, text, recipients)
    return { recipients }
  }

  /** The inventory of a node, from its HTTP API. */
  async inventory(name: string): Promise<unknown> {
    return requestFromNode(this.#requireNode(name), 'inventory')
  }

  /**
   * Makes all running nodes collect garbage, one after the other, so that their next census has a floor of their memory.
   * Nodes without profiles, and those that do not answer, are left out.
   */
  async collectGarbage(signal: AbortSignal): Promise<void> {
    for (const node of this.#nodes) await collectGarbage(node, signal)
  }

  /** Stops all nodes, then the store, and returns the closing record. Every call returns the same record. */
  stop(cause: string): Promise<LabRecord> {
    this.#stopping ??= this.#stop(cause)
    return this.#stopping
  }

  async #start(): Promise<void> {
    const { options } = this
    const { entry, directory } = this.#workspace
    if (options.otlp !== undefined) this.#sink = externalSink(options.otlp, options.query)
    else this.#sink = await ownSink(entry, directory, this.#sinkEvents())
    const plan = planLab(options, options.seed)
    checkFaults(
      plan.map(({ name }) => name),
      options,
    )
    const ports = await freeUdpPorts(plan.length)
    const nodes = plan.map((planned, index) => this.#add(planned, ports[index] ?? 0))
    this.#updateWatchdog()
    for (const node of nodes) {
      if (node.plan.startsAtMs === 0) this.#enqueue(node)
      else this.#owner.after(Math.max(0, node.plan.startsAtMs - this.#elapsed()), () => this.#enqueue(node))
    }
    this.#schedulePoll()
  }

  #sinkEvents(): SinkEvents {
    return {
      onProblem: (why) => this.#addProblem(why),
      onProcess: (pid) => {
        this.#storePid = pid
        this.#updateWatchdog()
      },
    }
  }

  #add(plan: PlannedNode, port: number): LabNode {
    const { directory, entry } = this.#workspace
    const { identities, program } = this.options
    const keys = identities ?? join(directory, 'keys')
    const node = new LabNode({
      plan,
      port,
      entry: program?.entry ?? entry,
      env: program?.env(plan.name) ?? {},
      args: () => [...nodeArgs({ plan, port }, this.#nodes, this.#sink.otlp), ...furtherArgs(plan.name, this.options)],
      keyFile: (identity) => join(keys, `${plan.name}${identity === 1 ? '' : `.${identity}`}.key`),
      onLine: (one, line) => this.#onLine(one, line),
      onExit: (one, problem) => this.#onExit(one, problem),
    })
    this.#nodes.push(node)
    this.#nodes.sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
    return node
  }

  #enqueue(node: LabNode): void {
    this.#queue.add(async () => {
      // The user may have started it meanwhile.
      if (node.state === 'waiting')
        await this.#startProcess(node, 'same').catch((error) => this.#addProblem(String(error)))
    })
  }

  async #startProcess(node: LabNode, identity: 'same' | 'fresh'): Promise<void> {
    if (this.#stopping !== undefined) return
    const listening = node.start(identity)
    this.#boot.onStart(node)
    this.#updateWatchdog()
    await listening
  }

  #onLine(node: LabNode, entry: LogEntry): void {
    this.#boot.onLine(node, entry, this.#nodes)
    const span = this.#events.addLogLine(node.name, entry)
    if (span !== undefined) this.options.onSpan?.(span)
  }

  #onExit(node: LabNode, problem: string | undefined): void {
    this.#updateWatchdog()
    if (problem !== undefined) this.#addProblem(`${node.name} ${problem}`)
  }

  #updateWatchdog(): void {
    const pids = [this.#storePid, ...this.#nodes.map(({ pid }) => pid ?? 0)]
    this.#watchdog.watch(pids.filter((pid) => pid > 0))
  }

  #schedulePoll(): void {
    if (this.#stopping !== undefined) return
    this.#owner.after(pollMs, () => pollNodes(this.#nodes, this.#isWatched).then(() => this.#schedulePoll()))
  }

  get #isWatched(): boolean {
    return performance.now() - this.#watchedAt < watchWindowMs
  }

  async #stop(cause: string): Promise<LabRecord> {
    // The survey needs running nodes.
    const snapshot = await survey(this.#nodes, () => this.#elapsed())
    this.#log(`${cause}: stopping ${this.#nodes.filter(({ pid }) => pid !== undefined).length} nodes`)
    const idle = this.#queue.close()
    await stopAll(this.#nodes)
    await idle
    const stats = await this.#sink.stats()
    await this.#close()
    return this.#recordOf(stats, snapshot)
  }

  /** Runs every step, even after a failed one. */
  async #close(): Promise<void> {
    const steps = [
      () => this.#owner.close(),
      () => this.#sink.close(),
      () => this.#watchdog.release(),
      () => this.#workspace.remove(),
    ]
    for (const step of steps) {
      try {
        await step()
      } catch (error) {
        this.#addProblem(`cleanup failed: ${errorMessage(error)}`)
      }
    }
  }

  #recordOf(stats: SinkStats | undefined, snapshot: Snapshot): LabRecord {
    const missingStats = stats === undefined && this.#sink.isOwn ? ['the trace store returned no statistics'] : []
    return recordOf({
      seed: this.options.seed,
      meshes: this.options.meshes,
      elapsedMs: this.#elapsed(),
      bootMs: this.#boot.completeAtMs(this.#nodes),
      snapshot,
      stats,
      lostAtExit: this.#nodes.reduce((sum, { lost }) => sum + lost, 0),
      problems: [...this.#events.problems, ...missingStats],
    })
  }

  #requireNode(name: string): LabNode {
    const node = this.#nodes.find((one) => one.name === name)
    if (node !== undefined) return node
    const names = this.#nodes.map((one) => one.name).join(' ')
    throw new MeshError('MESH_LAB_UNKNOWN', { name: name.slice(0, 64), known: names })
  }

  #elapsed(): number {
    return performance.now() - this.#startedAt
  }

  #addProblem(text: string): void {
    this.#events.addProblem(text)
    this.#log(text)
  }
}
