import { specOf } from '../../catalogue/span-effect.ts'
import { type SpanName, spans } from '../../catalogue/spans.ts'
import type { Random } from '../../core/machine.ts'
import { exportBytes, type SentSpan, type SentValue } from '../../store/otlp-client.ts'
import { hex } from '../../testing/otlp/lab-spans.ts'
import { type EmittedSpan, SimMesh, type SimNode } from '../../testing/sim/sim-mesh.ts'

/** Every five minutes a node dies or leaves, and comes back with a new identity under its name. */
const churnMs = 300_000
const censusMs = 30_000
/** Spans of one request, below the limit of a receiver. */
const perExport = 500

const seeds = ['seed-1', 'seed-2']
const others = Array.from({ length: 8 }, (_, index) => `node-${index + 1}`)
const registries = [
  'peers',
  'members',
  'connections',
  'messages',
  'subscriptions',
  'requests',
  'relay_seen',
  'relay_waiting',
]

/** Nodes of the simulator with a new identity at every start, and their spans as requests to a Collector. */
export class ChurnedMesh {
  readonly #mesh: SimMesh
  readonly #random: Random
  readonly #began: number
  #identities = 0
  #spansUntil = -1

  private constructor(seed: number, random: Random, fromMs: number) {
    this.#mesh = new SimMesh({ seed, names: [...seeds, ...others] })
    this.#random = random
    this.#began = fromMs
  }

  /** `fromMs`: time of the simulator's zero, in milliseconds since 1970. */
  static async start(seed: number, random: Random, fromMs: number): Promise<ChurnedMesh> {
    const mesh = new ChurnedMesh(seed, random, fromMs)
    for (const name of [...seeds, ...others]) await mesh.#start(name)
    return mesh
  }

  /** Number of peer ids so far. */
  get identities(): number {
    return this.#identities
  }

  get names(): readonly string[] {
    return [...seeds, ...others]
  }

  /** Runs for `ms`, in steps of one churn, and returns the spans emitted meanwhile, as requests. */
  async run(ms: number): Promise<readonly Buffer[]> {
    const requests: Buffer[] = []
    for (let ran = 0; ran < ms; ran += churnMs) {
      this.#mesh.run(churnMs)
      requests.push(...this.#requests())
      const name = others[Math.floor(this.#random() * others.length)] ?? ''
      if (this.#random() < 0.5) this.#mesh.kill(name)
      else await this.#mesh.stop(name)
      await this.#start(name)
    }
    return requests
  }

  close(): void {
    this.#mesh.close()
  }

  async #start(name: string): Promise<void> {
    const role = seeds.includes(name) ? 'seed' : 'compute'
    const otherSeeds = seeds.filter((seed) => seed !== name).map((seed) => this.#mesh.addressOf(seed))
    const peer = `12D3KooW${hex(this.#random, 12)}${++this.#identities}`
    await this.#mesh.start(name, { peer, role, meshes: ['mesh-a'], seeds: otherSeeds })
  }

  #requests(): Buffer[] {
    const now = this.#mesh.clock.now()
    const emittedSpans = this.#mesh.spans.filter(({ at }) => at > this.#spansUntil)
    this.#spansUntil = now
    const byNode = Map.groupBy(emittedSpans, ({ node }) => node)
    return this.#mesh.nodes.flatMap((node) => {
      const all = [...(byNode.get(node.name) ?? []).map((one) => this.#toSentSpan(one)), ...this.#censuses(now)]
      const parts = Array.from({ length: Math.ceil(all.length / perExport) }, (_, index) =>
        all.slice(index * perExport, (index + 1) * perExport),
      )
      return parts.map((part) => exportBytes(resourceOf(node), part))
    })
  }

  #toSentSpan({ span, at, attributes, ref, parent, links }: EmittedSpan): SentSpan {
    return {
      traceId: ref?.traceId ?? parent?.traceId ?? hex(this.#random, 32),
      spanId: ref?.spanId ?? hex(this.#random, 16),
      ...(parent && { parentSpanId: parent.spanId }),
      name: span,
      startMs: this.#began + at,
      attributes: attributes as Readonly<Record<string, SentValue>>,
      links,
      status: specOf(spans, span).failed === true ? 2 : 0,
    }
  }

  /** The census that a real node emits twice a minute; a node of the simulator does not. */
  #censuses(now: number): SentSpan[] {
    const randomInt = (most: number) => Math.floor(this.#random() * most)
    return Array.from({ length: churnMs / censusMs }, (_, index) => {
      const traceId = hex(this.#random, 32)
      const startMs = this.#began + now - index * censusMs
      const span = (name: SpanName, attributes: Record<string, SentValue>) => {
        return { traceId, spanId: hex(this.#random, 16), name, startMs, attributes }
      }
      const census = span('mesh.audit', {
        'process.memory.usage': (80 + randomInt(20)) * 1_048_576,
        'process.cpu.time': (0.0045 * (startMs - this.#began)) / 1_000,
        'mesh.telemetry.lost_total': 0,
        'mesh.audit.sweeps': Math.floor((startMs - this.#began) / 5_000),
        'mesh.audit.links': randomInt(9),
        'mesh.audit.members': randomInt(9),
        'mesh.audit.connections': randomInt(9),
      })
      return [
        census,
        ...registries.map((name) =>
          span(`mesh.audit.${name}` as SpanName, {
            'mesh.registry.name': name,
            'mesh.registry.size': randomInt(100),
            'mesh.registry.capacity': 4_096,
          }),
        ),
      ]
    }).flat()
  }
}

function resourceOf({ name, peer, incarnation }: SimNode): Record<string, SentValue> {
  return {
    'service.name': 'mesh-a',
    'service.instance.id': `${peer}/${incarnation}`,
    'mesh.id': 'mesh-a',
    'mesh.node.name': name,
    'mesh.node.role': seeds.includes(name) ? 'seed' : 'compute',
    'mesh.node.incarnation': incarnation,
    'mesh.peer.self': peer,
  }
}
