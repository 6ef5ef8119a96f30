import { type SpanEffect, specOf } from '../../catalogue/span-effect.ts'
import { spans as declared, type SpanSpec } from '../../catalogue/spans.ts'
import type { Random } from '../../core/machine.ts'
import { newTrace, spanIn, type TraceRef } from '../../core/trace.ts'
import { Census } from '../../evidence/census.ts'
import { linkEvidence } from '../../evidence/link-evidence.ts'
import { registryEvidence } from '../../evidence/registry-evidence.ts'
import { seedEvidence } from '../../evidence/seed-evidence.ts'
import { stopAccount, stopSpans } from '../../kit/stop-report.ts'
import { isRoutine } from '../../telemetry/sampling.ts'
import type { TraceSpan, Value } from '../../traces/trace.ts'
import type { SimObserver, SimParts } from '../sim/sim-mesh.ts'

/** What one simulated process exports: its spans as a trace store has them, censuses included. */
export class SimRecorder implements SimObserver {
  readonly spans: TraceSpan[] = []
  readonly #parts: SimParts
  readonly #random: Random
  readonly #resource: TraceSpan['resource']
  readonly #census: Census
  #pendingCensuses: Promise<void>[] = []
  #seq = 0

  constructor(parts: SimParts, random: Random) {
    this.#parts = parts
    this.#random = random
    const { name, peer, role, meshes, incarnation } = parts
    this.#resource = {
      'service.instance.id': newTrace(random).traceId,
      'service.version': 'sim',
      'host.id': `host of ${name}`,
      'mesh.id': meshes[0] ?? '',
      'mesh.node.name': name,
      'mesh.node.role': role,
      'mesh.node.incarnation': incarnation,
      'mesh.peer.self': peer,
    }
    this.#census = new Census({ sources: sourcesOf(parts), clock: parts.network.process.clock, random })
  }

  span(effect: SpanEffect, window: TraceRef | undefined): void {
    this.#add(effect, window, this.#parts.network.process.clock.now())
  }

  census(cause: 'started' | 'periodic' | 'stopped', window: TraceRef | undefined): void {
    const now = this.#parts.network.process.clock.now()
    const taken = this.#census.take(cause, window)
    this.#pendingCensuses.push(taken.then((all) => all.forEach((span) => void this.#add(span, window, now))))
  }

  /** The account of a stop, and the last census. */
  stopped(report: Parameters<typeof stopAccount>[0], startedAt: number): void {
    const { clock } = this.#parts.network.process
    const root = newTrace(this.#random)
    const account = { ...stopAccount(report), cause: 'SIGTERM', uptimeMs: clock.now() - startedAt, tookMs: 0, left: [] }
    for (const span of stopSpans(root, account)) this.span(span, undefined)
    this.census('stopped', root)
  }

  /** Resolves once every census is recorded. */
  async flush(): Promise<void> {
    await Promise.all(this.#pendingCensuses)
    this.#pendingCensuses = []
  }

  /** As in a node that exports no routine spans. */
  #add(effect: SpanEffect, window: TraceRef | undefined, now: number): void {
    if (isRoutine(effect)) return
    const { clock } = this.#parts.network.process
    const parent = effect.parent === undefined ? window : (effect.parent ?? undefined)
    const ref = effect.ref ?? spanIn(parent, this.#random)
    const beganAt = effect.since ?? now
    const spec: SpanSpec = specOf(declared, effect.span)
    this.spans.push({
      traceId: ref.traceId,
      spanId: ref.spanId,
      parentSpanId: parent?.spanId ?? '',
      name: effect.span,
      service: String(this.#resource['mesh.id']),
      kind: spec.kind ?? 'internal',
      startMs: beganAt + clock.wall() - clock.now(),
      durationMs: now - beganAt,
      attributes: { ...(effect.attributes as Readonly<Record<string, Value>>), 'mesh.seq': ++this.#seq },
      resource: this.#resource,
      scope: { name: 'tracemesh', version: 'sim' },
      links: effect.links ?? [],
      status: spec.failed ? 'error' : 'unset',
    })
  }
}

/** The layers that a simulated node has. */
function sourcesOf({ node, network, owner }: SimParts) {
  const ages = (now: number) =>
    network.snapshot().map((info) => {
      const [, link] = node.ledger.find(info.id) ?? []
      return { ...info, ageMs: link === undefined ? 0 : now - link.openedAt, isRelayed: false }
    })
  return [
    { name: 'links', read: (now: number) => linkEvidence(node.ledger, ages(now), now) },
    {
      name: 'mesh',
      read: () => ({
        attributes: { 'mesh.audit.members': node.view.members().length, 'mesh.audit.sweeps': node.view.sweeps },
      }),
    },
    { name: 'seeds', read: (now: number) => seedEvidence(node.seeds.seeds(), now) },
    { name: 'registries', read: () => registryEvidence(owner.inventory()) },
  ]
}
