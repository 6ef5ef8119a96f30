import type { Random } from '../../core/machine.ts'
import type { TraceSpan } from '../../traces/trace.ts'
import { seededRandom } from '../random.ts'
import { SimMesh, type SimMeshOptions, type SimNodeOptions, type SimParts } from '../sim/sim-mesh.ts'
import { SimRecorder } from './sim-recorder.ts'

/** Fewer links and rarer gossip than by default: these take most of the time of a run. */
const settings = { gossipDigestMs: 30_000, neighbours: 4 }
const gapMs = 60_000

interface Recorded {
  readonly name: string
  readonly recorder: SimRecorder
  readonly startedAt: number
}

export interface SimRunOptions {
  readonly settings?: SimMeshOptions['settings']
  /** Nodes beside the seed, by default 3 to 8. */
  readonly nodes?: number
  readonly latencyMs?: SimMeshOptions['latencyMs']
}

/** A simulated mesh whose spans are recorded; one number decides its size, its times and its losses. */
export class SimRun {
  readonly mesh: SimMesh
  readonly random: Random
  /** The seed's name, and those of the others. */
  readonly seed = 'node-0'
  readonly others: readonly string[]
  readonly #recorded: Recorded[] = []

  constructor(number: number, options: SimRunOptions = {}) {
    this.random = seededRandom(number)
    const count = options.nodes ?? this.between(3, 8)
    this.others = Array.from({ length: count }, (_, index) => `node-${index + 1}`)
    this.mesh = new SimMesh({
      seed: number,
      // Addresses of spare names have no listener until a scenario starts a node there.
      names: [this.seed, ...this.others, 'spare-0', 'spare-1', 'spare-2'],
      settings: { ...settings, ...options.settings },
      latencyMs: options.latencyMs ?? [1, this.between(5, 80)],
      observe: (parts) => this.#record(parts),
    })
  }

  /** An integer, both ends included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.random() * (most - least + 1))
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.random() * from.length)] as T
  }

  chance(share: number): boolean {
    return this.random() < share
  }

  /** Runs for a random time between two numbers of seconds. */
  pass(least: number, most = least): void {
    this.mesh.run(1_000 * (least + this.random() * (most - least)))
  }

  async startSeed(options: SimNodeOptions = {}): Promise<void> {
    await this.mesh.start(this.seed, { role: 'seed', ...options })
  }

  async start(name: string, options: SimNodeOptions = {}): Promise<void> {
    await this.mesh.start(name, { seeds: [this.mesh.addressOf(this.seed)], ...options })
  }

  /** Starts the seed and all others, except those named. */
  async startAll(except: readonly string[] = [], options: SimNodeOptions = {}): Promise<void> {
    await this.startSeed()
    for (const name of this.others) {
      if (except.includes(name)) continue
      this.pass(0, 2)
      await this.start(name, options)
    }
  }

  /** A stop in order, with its account. */
  async stop(name: string): Promise<void> {
    const { owner } = this.mesh.node(name)
    const recorded = this.#recorded.findLast((one) => one.name === name)
    const planned = owner.plannedSteps()
    const steps = await this.mesh.stop(name)
    recorded?.recorder.stopped({ planned, steps, held: [] }, recorded.startedAt)
  }

  /** Some nodes that leave or die and come back, `seconds` long: at most one at a time. */
  async churn(seconds: number, spared: readonly string[]): Promise<void> {
    const until = this.mesh.clock.now() + 1_000 * seconds
    const candidates = this.others.filter((name) => !spared.includes(name))
    while (candidates.length > 0 && this.mesh.clock.now() < until) {
      const name = this.pick(candidates)
      if (this.chance(0.5)) await this.stop(name)
      else this.mesh.kill(name)
      this.pass(1, 20)
      await this.start(name)
      this.pass(5, 40)
    }
    this.mesh.run(Math.max(0, until - this.mesh.clock.now()))
  }

  /** Ends the run; returns its spans, of which a share got lost, or those of one node and minute. */
  async finish(lossShare?: number): Promise<TraceSpan[]> {
    this.mesh.close()
    for (const { recorder } of this.#recorded) await recorder.flush()
    const all = this.#recorded.flatMap(({ recorder }) => recorder.spans)
    const share = lossShare ?? this.pick([0, 0, 0, 0.05, 0.2])
    const hasGap = this.chance(0.2)
    const { name: gapOf } = this.pick(this.#recorded)
    const gapAt = Math.min(...all.map(({ startMs }) => startMs)) + this.random() * this.mesh.clock.now()
    const isInGap = ({ resource, startMs }: TraceSpan) =>
      hasGap && resource['mesh.node.name'] === gapOf && startMs >= gapAt && startMs < gapAt + gapMs
    return all.filter((span) => this.random() >= share && !isInGap(span))
  }

  #record(parts: SimParts): SimRecorder {
    const random = seededRandom(Math.floor(this.random() * 2 ** 32))
    const recorder = new SimRecorder(parts, random)
    this.#recorded.push({ name: parts.name, recorder, startedAt: this.mesh.clock.now() })
    return recorder
  }
}
