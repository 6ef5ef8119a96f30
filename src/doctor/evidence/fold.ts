import { spans as declared, type SpanName } from '../../catalogue/spans.ts'
import { attributeOf } from '../../traces/listed-span.ts'
import type { TraceSpan } from '../../traces/trace.ts'
import type { Coverage, Evidence } from './evidence.ts'
import { Instance } from './instance.ts'
import { LinkTable } from './link-table.ts'

/** Processes whose series are retained; of more, those with the shortest life are dropped first. */
const maxInstances = 512
/** Periodic spans that say nothing but that the job runs: first, last and count are enough. */
const registrySpan = /^mesh\.audit\.(?!suspect$)/

/** Folds spans, in any order and also twice, into evidence. Its memory grows with the number of series. */
export class EvidenceFold {
  readonly #instances = new Map<string, Instance>()
  readonly #links = new LinkTable()
  #spans = 0
  #foreign = 0
  #duplicates = 0
  #dropped = 0
  #omitted = 0

  /** Number of spans so far. */
  get spans(): number {
    return this.#spans
  }

  /** `again`: the doctor itself may have read the span before. Then a second time is no fault of the export. */
  add(span: TraceSpan, again = false): void {
    const instance = this.#instanceOf(span)
    if (instance === undefined) {
      if (again) return
      this.#spans++
      this.#foreign++
      return
    }
    const seq = attributeOf(span, 'mesh.seq')
    const isNew = typeof seq !== 'number' || instance.seqs.add(seq)
    if (!isNew && again) return
    this.#spans++
    if (!isNew) {
      this.#duplicates++
      return
    }
    instance.noteTimes(span)
    if (span.name === 'mesh.audit') instance.noteCensus(span)
    else if (registrySpan.test(span.name)) instance.noteRegistry(span)
    else instance.noteSpan(span)
    this.#links.add(instance, span)
  }

  /** Drops the processes whose last span ended before a time, so that a long watch has room for new ones. */
  forget(beforeMs: number): void {
    for (const { id, lastMs } of [...this.#instances.values()]) if (lastMs < beforeMs) this.#instances.delete(id)
    this.#links.retain((instance) => this.#instances.has(instance))
  }

  /** The evidence so far. `coverage` says what part of the spans was read. */
  evidence(coverage: Coverage): Evidence {
    const instances = [...this.#instances.values()]
    const omitted = instances.reduce((sum, one) => sum + one.omitted, this.#omitted)
    return {
      fromMs: Math.min(...instances.map(({ firstMs }) => firstMs)),
      toMs: Math.max(...instances.map(({ lastMs }) => lastMs)),
      instances,
      links: this.#links,
      ...coverage,
      spans: this.#spans,
      foreign: this.#foreign,
      duplicates: this.#duplicates,
      dropped: this.#dropped,
      omitted,
    }
  }

  /** Undefined for a span of something other than a mesh node. */
  #instanceOf(span: TraceSpan): Instance | undefined {
    const id = span.resource['service.instance.id']
    if (typeof id !== 'string' || span.resource['mesh.node.name'] === undefined || !isDeclared(span.name))
      return undefined
    const present = this.#instances.get(id)
    if (present !== undefined) return present
    if (this.#instances.size >= maxInstances) this.#dropShortest()
    const instance = new Instance(span)
    this.#instances.set(id, instance)
    return instance
  }

  #dropShortest(): void {
    const [shortest] = [...this.#instances.values()].sort((a, b) => a.lastMs - a.firstMs - (b.lastMs - b.firstMs))
    if (shortest === undefined) return
    this.#instances.delete(shortest.id)
    this.#omitted += shortest.omitted
    this.#dropped++
  }
}

function isDeclared(name: string): name is SpanName {
  return Object.hasOwn(declared, name)
}
