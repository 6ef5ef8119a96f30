import { join } from 'node:path'
import type { Role } from '../catalogue/roles.ts'
import { MeshError } from '../core/errors.ts'
import { Owner } from '../core/owner.ts'
import { systemClock } from '../kit/clock.ts'
import type { MeshView, ViewNode } from '../page/mesh-view.ts'
import { Boot } from './boot.ts'
import type { ChildEnd, LogEntry } from './child.ts'
import { type Asked, badEnd } from './ending.ts'
import { freeUdpPorts } from './free-ports.ts'
import { LabNode } from './lab-node.ts'
import type { LabOptions } from './lab-options.ts'
import type { LabSpan } from './lab-span.ts'
import { News } from './news.ts'
import { nodeArgs } from './node-args.ts'
import { nodesMax, type PlannedNode, planAnother, planLab } from './plan.ts'
import { inventoryOf, pollTopologies, publishBy } from './polls.ts'
import { type LabRecord, recordOf, type Snapshot } from './record.ts'
import { StartQueue } from './start-queue.ts'
import { stopAll } from './stop-all.ts'
import { look, lookMs, survey } from './survey.ts'
import { foreignSink, ownSink, type SinkEvents, type SinkStats, type TraceSink } from './trace-sink.ts'
import { labView, viewNodes } from './view.ts'
import { Watchdog } from './watchdog.ts'
import { makeWorkspace, type Workspace } from './workspace.ts'

/** Nodes are asked only while somebody watches: the first question costs a node 4 MB and a tenth of a second of CPU. */
const watchedMs = 10_000

/** A whole mesh on this machine: processes that are started, watched, troubled and stopped together. */
export class Lab {
  readonly options: LabOptions
  readonly #workspace: Workspace
  readonly #watchdog: Watchdog
  readonly #owner = new Owner('lab', systemClock)
  readonly #began: number
  readonly #boot: Boot
  readonly #nodes: LabNode[] = []
  readonly #queue = new StartQueue()
  readonly #news = new News()
  readonly #say: (text: string) => void
  #sink: TraceSink = foreignSink('off', undefined)
  /** 0 for none. */
  #storePid = 0
  #watchedAt = -Infinity
  #stopping: Promise<LabRecord> | undefined

  private constructor(options: LabOptions, workspace: Workspace, began: number) {
    this.options = options
    this.#workspace = workspace
    this.#began = began
    this.#boot = new Boot(began)
    this.#say = options.say ?? (() => {})
    this.#watchdog = new Watchdog(workspace.directory, options.terminal === true)
  }

  /**
   * Resolves when the first processes start. Throws MESH_LAB_REFUSED when the trace store does not.
   *
   * @param began Monotonic milliseconds from which the lab counts.
   */
  static async start(options: LabOptions, began = performance.now()): Promise<Lab> {
    const lab = new Lab(options, await makeWorkspace(), began)
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

  get otlp(): string {
    return this.#sink.otlp
  }

  /** Newest last. */
  get tells(): readonly LabSpan[] {
    return this.#news.spans
  }

  nodes(): readonly ViewNode[] {
    return viewNodes(this.#nodes)
  }

  /** @param watch Whether links are of interest: then every node is asked, at once and every 2 s for the next 10 s. */
  view(watch = true): MeshView {
    if (watch && !this.#watched) pollTopologies(this.#nodes)
    if (watch) this.#watchedAt = performance.now()
    const { spans, messages } = this.#news
    const happened = { boot: this.#boot.steps, spans, messages, traces: this.query !== undefined }
    return labView(this.#nodes, this.options, happened)
  }

  /** `kill`: as if the power had gone. `stop`: it says goodbye. Throws MESH_LAB_UNKNOWN or MESH_LAB_REFUSED, as the next ones do. */
  async kill(name: string, how: 'kill' | 'stop'): Promise<void> {
    const node = this.#find(name)
    await (how === 'kill' ? node.kill() : node.stop())
    this.#say(`${name} was ${how === 'kill' ? 'killed' : 'stopped'}`)
  }

  async pause(name: string): Promise<void> {
    this.#find(name).pause()
    this.#say(`${name} was paused`)
  }

  async resume(name: string): Promise<void> {
    this.#find(name).resume()
    this.#say(`${name} goes on`)
  }

  /** Resolves when it listens. */
  async start(name: string, identity: 'same' | 'fresh'): Promise<void> {
    await this.#begin(this.#find(name), identity)
  }

  /** One node more; a bridge leads to the mesh after `mesh`. Returns its name, before it listens. */
  async spawn(role: Role, mesh: string): Promise<string> {
    const [port = 0] = await freeUdpPorts(1)
    // No pause from here on: of two at once, each has to see the other's name.
    if (this.#nodes.length >= nodesMax)
      throw new MeshError('MESH_LIMIT_REACHED', { limit: 'nodes of a lab', value: nodesMax })
    const taken = this.#nodes.map(({ name }) => name)
    const plan = planAnother(role, mesh, this.options.meshes, taken, this.#elapsed())
    this.#enqueue(this.#add(plan, port))
    return plan.name
  }

  /** A node says something to all of its mesh. Returns to how many it sent it; they pass it on. */
  async say(name: string, text: string): Promise<{ readonly recipients: number }> {
    const node = this.#find(name)
    const recipients = await publishBy(node, text)
    this.#news.said(name, text, recipients)
    return { recipients }
  }

  /** What a node holds, as its own HTTP API says. */
  async inventory(name: string): Promise<unknown> {
    return inventoryOf(this.#find(name))
  }

  /** How things are now. */
  async record(): Promise<LabRecord> {
    const snapshot = await survey(this.#nodes, () => this.#elapsed())
    return this.#recordOf(await this.#sink.stats(), snapshot)
  }

  /** Stops everybody, the store last, and says how it was. Every call gives the same answer. */
  stop(cause: string): Promise<LabRecord> {
    this.#stopping ??= this.#stop(cause)
    return this.#stopping
  }

  async #start(): Promise<void> {
    const { options } = this
    const { entry, directory } = this.#workspace
    if (options.otlp !== undefined) this.#sink = foreignSink(options.otlp, options.query)
    else this.#sink = await ownSink(entry, directory, this.#sinkEvents())
    const plan = planLab(options, options.seed)
    const ports = await freeUdpPorts(plan.length)
    const nodes = plan.map((planned, index) => this.#add(planned, ports[index] ?? 0))
    this.#watch()
    for (const node of nodes) {
      if (node.plan.startsAtMs === 0) this.#enqueue(node)
      else this.#owner.after(Math.max(0, node.plan.startsAtMs - this.#elapsed()), () => this.#enqueue(node))
    }
    this.#lookAgain()
  }

  #sinkEvents(): SinkEvents {
    return {
      problem: (why) => this.#problem(why),
      spawned: (pid) => {
        this.#storePid = pid
        this.#watch()
      },
    }
  }

  #add(plan: PlannedNode, port: number): LabNode {
    const { directory, entry } = this.#workspace
    const keys = this.options.identities ?? join(directory, 'keys')
    const node = new LabNode({
      plan,
      port,
      entry,
      args: () => nodeArgs({ plan, port }, this.#nodes, this.#sink.otlp),
      keyFile: (identity) => join(keys, `${plan.name}${identity === 1 ? '' : `.${identity}`}.key`),
      line: (one, line) => this.#line(one, line),
      ended: (one, end, asked) => this.#ended(one, end, asked),
    })
    this.#nodes.push(node)
    this.#nodes.sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
    return node
  }

  #enqueue(node: LabNode): void {
    this.#queue.add(async () => {
      // Started by hand meanwhile, it is left alone.
      if (node.state === 'waiting') await this.#begin(node, 'same').catch((error) => this.#problem(String(error)))
    })
  }

  async #begin(node: LabNode, identity: 'same' | 'fresh'): Promise<void> {
    if (this.#stopping !== undefined) return
    const listening = node.start(identity)
    this.#boot.started(node)
    this.#watch()
    await listening
  }

  #line(node: LabNode, entry: LogEntry): void {
    this.#boot.line(node, entry, this.#nodes)
    const span = this.#news.line(node.name, entry)
    if (span !== undefined) this.options.onSpan?.(span)
  }

  #ended(node: LabNode, end: ChildEnd, asked: Asked | undefined): void {
    this.#watch()
    const why = badEnd(end, asked)
    if (why !== undefined) this.#problem(`${node.name} ${why}`)
  }

  #watch(): void {
    const pids = [this.#storePid, ...this.#nodes.map(({ pid }) => pid ?? 0)]
    this.#watchdog.watch(pids.filter((pid) => pid > 0))
  }

  #lookAgain(): void {
    if (this.#stopping !== undefined) return
    this.#owner.after(lookMs, () => look(this.#nodes, this.#watched).then(() => this.#lookAgain()))
  }

  get #watched(): boolean {
    return performance.now() - this.#watchedAt < watchedMs
  }

  async #stop(cause: string): Promise<LabRecord> {
    // What it says is gone once everybody has stopped.
    const snapshot = await survey(this.#nodes, () => this.#elapsed())
    this.#say(`${cause}: stopping ${this.#nodes.filter(({ pid }) => pid !== undefined).length} nodes`)
    const idle = this.#queue.close()
    await stopAll(this.#nodes)
    await idle
    const stats = await this.#sink.stats()
    await this.#close()
    return this.#recordOf(stats, snapshot)
  }

  /** Every step is taken, whatever became of those before it. */
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
        this.#problem(`what was to be cleaned up was not: ${error instanceof Error ? error.message : error}`)
      }
    }
  }

  #recordOf(stats: SinkStats | undefined, snapshot: Snapshot): LabRecord {
    const silent = stats === undefined && this.#sink.own ? ['the trace store did not say what it received'] : []
    return recordOf({
      seed: this.options.seed,
      meshes: this.options.meshes,
      elapsedMs: this.#elapsed(),
      bootMs: this.#boot.wholeAt(this.#nodes),
      snapshot,
      stats,
      lostAtExit: this.#nodes.reduce((sum, { lost }) => sum + lost, 0),
      problems: [...this.#news.problems, ...silent],
    })
  }

  #find(name: string): LabNode {
    const node = this.#nodes.find((one) => one.name === name)
    if (node !== undefined) return node
    const known = this.#nodes.map((one) => one.name).join(' ')
    throw new MeshError('MESH_LAB_UNKNOWN', { name: name.slice(0, 64), known })
  }

  #elapsed(): number {
    return performance.now() - this.#began
  }

  #problem(text: string): void {
    this.#news.problem(text)
    this.#say(text)
  }
}
