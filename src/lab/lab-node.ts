import { MeshError } from '../core/errors.ts'
import type { Topology } from '../kit/views.ts'
import type { NodeState } from '../page/mesh-view.ts'
import { type LogEntry, nodeCommand, nodeEnvironment, parseLogLine } from '../processes/node-program.ts'
import { describeExit, type Exit, Subprocess } from '../processes/subprocess.ts'
import { count, newTally, type Tally } from './node-log.ts'
import type { PlannedNode } from './plan.ts'
import { type Usage, usageOf } from './process-usage.ts'
import { stopLimits } from './stop.ts'

interface LabNodeOptions {
  readonly plan: PlannedNode
  readonly port: number
  readonly entry: string
  /** Settings in its environment. */
  readonly env?: Readonly<Record<string, string>>
  /** Command line at a start, without the identity. */
  readonly args: () => readonly string[]
  /** Key file by number of the identity. */
  readonly keyFile: (identity: number) => string
  readonly onLine: (node: LabNode, entry: LogEntry) => void
  /** `problem` describes an exit that the lab did not request, or that failed. */
  readonly onExit: (node: LabNode, problem: string | undefined) => void
  /** 45 s by default. */
  readonly startLimitMs?: number
}

/** The CPU of the start does not count: measuring begins this long after `listening`. Guess. */
const warmUpMs = 5_000

/**
 * One node of the lab: its processes, one after the other, and the state of the last one.
 *
 * | action | process | state |
 * | --- | --- | --- |
 * | `start` | a new one, with the same identity or a fresh one; SIGKILL if it does not listen in time | `starting`, `running`; `failed` |
 * | `kill` | SIGKILL, as if its power had failed: no goodbye, other nodes expire it | `killed` |
 * | `stop` | SIGTERM, so that it says goodbye; SIGKILL after a limit | `stopped`; `failed` if its exit code is not 0 |
 * | `pause`, `resume` | SIGSTOP, SIGCONT | `paused`, `running` |
 * | none: it exits by itself, which is a problem of the closing record | | `failed`; `stopped` if its exit code is 0 |
 */
export class LabNode {
  readonly plan: PlannedNode
  readonly #options: LabNodeOptions
  #state: NodeState = 'waiting'
  #child: Subprocess | undefined
  #identity = 1
  /** Of the current process. */
  #requestedAction: RequestedAction | undefined
  #startTimer: NodeJS.Timeout | undefined
  #listening = Promise.withResolvers<void>()
  #samples: readonly (Usage & { readonly at: number })[] = []
  peer = ''
  adminUrl = ''
  /** Of its profiles; empty without. */
  profileUrl = ''
  incarnation: number | undefined
  addresses: readonly string[] = []
  tally: Tally = newTally()
  /** From the last poll; undefined while the node cannot answer. */
  topology: Topology | undefined
  /** Failed polls since the last answer. */
  failedPolls = 0
  /** Monotonic milliseconds; undefined while it is not listening. */
  listeningAt: number | undefined
  /** Start of its last process, in monotonic milliseconds. */
  startedAt: number | undefined
  #resumedAt = 0
  #lostByEarlier = 0

  constructor(options: LabNodeOptions) {
    this.#options = options
    this.plan = options.plan
  }

  get name(): string {
    return this.plan.name
  }

  get state(): NodeState {
    return this.#state === 'running' && this.failedPolls > 2 ? 'unreachable' : this.#state
  }

  get pid(): number | undefined {
    return this.#child?.isRunning ? this.#child.pid : undefined
  }

  get port(): number {
    return this.#options.port
  }

  /** Start of listening or end of the last pause, in monotonic milliseconds; undefined while it does not listen. */
  get steadySince(): number | undefined {
    return this.listeningAt === undefined ? undefined : Math.max(this.listeningAt, this.#resumedAt)
  }

  /** Spans lost at exit by all its processes. */
  get lost(): number {
    return this.#lostByEarlier + this.tally.lost
  }

  /**
   * Resolves when the node listens or has exited: after 45 s the lab kills it. Throws MESH_LAB_REFUSED when it runs, or
   * when output of its last process is unread.
   */
  start(identity: 'same' | 'fresh'): Promise<void> {
    if (this.#child?.isClosed === false) throw this.#refusal('started')
    if (identity === 'fresh') this.#identity++
    this.#lostByEarlier += this.tally.lost
    this.tally = newTally()
    this.#resetProcessState()
    this.#samples = []
    this.#requestedAction = undefined
    this.#state = 'starting'
    this.startedAt = performance.now()
    this.#listening = Promise.withResolvers()
    const { entry, env, args, keyFile } = this.#options
    const child = new Subprocess({
      name: this.name,
      command: nodeCommand(entry, [...args(), '--identity', keyFile(this.#identity)]),
      env: { ...nodeEnvironment(), ...env },
      // The node stops when this channel closes.
      ipc: true,
      // Only the lab gets a Ctrl-C: it stops the nodes first and the store last.
      ownGroup: true,
      onLine: (line) => this.#onLine(parseLogLine(line)),
      onExit: (exit) => this.#onExit(exit),
    })
    this.#child = child
    this.#startTimer = setTimeout(() => {
      this.#requestedAction ??= 'start-timeout'
      child.signal('SIGKILL')
    }, this.#options.startLimitMs ?? startLimitMs)
    return this.#listening.promise.finally(() => clearTimeout(this.#startTimer))
  }

  async kill(): Promise<void> {
    const child = this.#requireRunning('killed')
    this.#requestedAction = 'kill'
    child.signal('SIGKILL')
    await child.exited
  }

  /** Ordered, with goodbyes; SIGKILL follows after 6 s, or after 15 s for a node that is starting. */
  async stop(): Promise<void> {
    const child = this.#requireRunning('stopped')
    const isStarting = this.#state === 'starting'
    this.#requestedAction = isStarting ? 'stop-start' : 'stop'
    await child.stop(isStarting ? stopLimits.startingMs : stopLimits.nodeMs)
  }

  pause(): void {
    const child = this.#requireRunning('paused')
    if (this.#state !== 'running') throw this.#refusal('paused')
    child.signal('SIGSTOP')
    this.#state = 'paused'
    this.topology = undefined
  }

  resume(): void {
    if (this.#state !== 'paused') throw this.#refusal('resumed')
    this.#child?.signal('SIGCONT')
    this.#resumedAt = performance.now()
    this.#state = 'running'
  }

  /** Reads memory and CPU of its process. */
  async sampleUsage(): Promise<void> {
    const { pid } = this
    const usage = pid === undefined ? undefined : await usageOf(pid)
    if (usage === undefined || pid !== this.pid || this.listeningAt === undefined) return
    const now = performance.now()
    const warm = this.#samples.filter(({ at }) => at >= (this.listeningAt ?? 0) + warmUpMs)
    const [first] = warm.length > 0 ? warm : this.#samples
    this.#samples = [...(first === undefined ? [] : [first]), ...this.#samples.slice(-1), { ...usage, at: now }]
  }

  /** Resident memory at the last sample, MiB. */
  get rssMb(): number | undefined {
    return this.#samples.at(-1)?.rssMb
  }

  /** CPU milliseconds per second between the last two samples. */
  get cpuMsPerS(): number | undefined {
    return rate(this.#samples.at(-2), this.#samples.at(-1))
  }

  /** CPU milliseconds per second since 5 s after it began to listen. */
  get cpuMsPerSOverall(): number | undefined {
    return rate(this.#samples[0], this.#samples.at(-1))
  }

  #onLine(entry: LogEntry): void {
    count(this.tally, entry)
    if (entry['msg'] === 'mesh.node.started') this.incarnation = Number(entry['mesh.node.incarnation'])
    if (entry['msg'] === 'listening') {
      this.peer = String(entry['peer'])
      this.adminUrl = String(entry['admin'] ?? '')
      this.profileUrl = String(entry['pprof'] ?? '')
      this.addresses = (entry['addresses'] as readonly string[] | undefined) ?? []
      this.listeningAt = performance.now()
      if (this.#state === 'starting') this.#state = 'running'
      this.#listening.resolve()
    }
    this.#options.onLine(this, entry)
  }

  #onExit(exit: Exit): void {
    this.#state = stateAfter(exit, this.#requestedAction)
    this.#resetProcessState()
    this.#listening.resolve()
    this.#options.onExit(this, exitProblem(exit, this.#requestedAction))
  }

  /** Clears the state of the process. The peer id stays, so that its traces can be found. */
  #resetProcessState(): void {
    this.topology = undefined
    this.listeningAt = undefined
    this.failedPolls = 0
    this.adminUrl = ''
    this.profileUrl = ''
  }

  #requireRunning(to: string): Subprocess {
    if (!this.#child?.isRunning) throw this.#refusal(to)
    return this.#child
  }

  #refusal(to: string): MeshError {
    return new MeshError('MESH_LAB_REFUSED', { what: `${this.name} cannot be ${to}`, why: `it is ${this.state}` })
  }
}

function rate(
  from: (Usage & { readonly at: number }) | undefined,
  to: (Usage & { readonly at: number }) | undefined,
): number | undefined {
  if (from === undefined || to === undefined || to.at - from.at < 500) return undefined
  return Math.round(((to.cpuMs - from.cpuMs) / (to.at - from.at)) * 10_000) / 10
}

/**
 * What the lab did to a process; `stop-start`: stopped before it listened, so perhaps before it handled SIGTERM;
 * `start-timeout`: killed because it did not listen. Any other exit is a problem.
 */
type RequestedAction = 'kill' | 'stop' | 'stop-start' | 'start-timeout'

/** From a start until the node listens, in milliseconds: later starts wait for it. Guess. */
const startLimitMs = 45_000

function stateAfter(exit: Exit, requestedAction: RequestedAction | undefined): NodeState {
  if (exit.code === 0 || hasStoppedStart(exit, requestedAction)) return 'stopped'
  return requestedAction === 'kill' ? 'killed' : 'failed'
}

/** Describes an unexpected exit of a process; undefined for the expected exit. */
export function exitProblem(exit: Exit, requestedAction: RequestedAction | undefined): string | undefined {
  if (requestedAction === undefined) return `exited by itself ${describeExit(exit)}`
  if (requestedAction === 'start-timeout') return `did not listen within ${startLimitMs / 1_000} s and was killed`
  if (requestedAction === 'kill' || exit.code === 0 || hasStoppedStart(exit, requestedAction)) return undefined
  return `was stopped and exited ${describeExit(exit)}`
}

function hasStoppedStart({ signal }: Exit, requestedAction: RequestedAction | undefined): boolean {
  return requestedAction === 'stop-start' && signal === 'SIGTERM'
}
