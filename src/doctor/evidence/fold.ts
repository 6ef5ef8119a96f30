import { spans as declared, type SpanName } from '../../catalogue/spans.ts'
import { attributeOf } from '../../traces/listed-span.ts'
import type { TraceSpan } from '../../traces/trace.ts'
import type { Coverage, Evidence } from './evidence.ts'
import { Instance, lifeKeyOf } from './instance.ts'
import { Lifetime } from './lifetime.ts'
import { LinkTable } from './link-table.ts'
import { OmittedLives } from './omitted-lives.ts'
import { SpanBudget } from './span-budget.ts'

/** Processes whose series are retained; of more, those with the shortest life are dropped first. */
const maxInstances = 512
/** Spans of the census that are noted as series. */
const registrySpan = /^mesh\.audit\.(?!suspect$)/

/** Folds spans, in any order and also twice, into evidence. Its memory grows with the number of series. */
export class EvidenceFold {
  /** By `lifeKeyOf`. */
  readonly #instances = new Map<string, Instance>()
  readonly #omittedLives = new OmittedLives()
  readonly #links = new LinkTable()
  readonly #budget = new SpanBudget()
  #spans = 0
  #foreign = 0
  #duplicates = 0
  #omitted = 0
  /** The last process with its resource: spans come in batches of one process. */
  #last: { readonly resource: TraceSpan['resource']; readonly service: string; readonly instance: Instance } | undefined

  /** Number of spans so far. */
  get spans(): number {
    return this.#spans
  }

  /** `again`: the doctor itself may have read the span before. Then a second time is no fault of the export. */
  add(span: TraceSpan, again = false): void {
    if (!isOfMesh(span)) {
      if (again) return
      this.#spans++
      this.#foreign++
      return
    }
    const instance = this.#instanceOf(span)
    if (instance === undefined) {
      if (!again) this.#spans++
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
    else if (instance.noteSpan(span, this.#budget.limits)) this.#budget.take(this.#instances)
    this.#links.add(instance, span)
  }

  /** Drops the processes whose last span ended before a time, so that a long watch has room for new ones. */
  forget(beforeMs: number): void {
    for (const { key, lastMs } of [...this.#instances.values()]) if (lastMs < beforeMs) this.#instances.delete(key)
    this.#last = undefined
    this.#omittedLives.forget(beforeMs)
    this.#links.retain((key) => this.#instances.has(key))
  }

  /** The evidence so far. `coverage` says what part of the spans was read; what found no room is partial, too. */
  evidence({ complete, partial }: Coverage): Evidence {
    // The latest parts of a long period are read first, and rules take the last life of a node.
    const instances = [...this.#instances.values()].sort(byBegin)
    const omitted = instances.reduce((sum, one) => sum + one.omitted, this.#omitted)
    const lifetime = new Lifetime()
    for (const { firstMs, lastMs, seqs } of instances) lifetime.add(firstMs, lastMs, Math.max(1, seqs.count))
    return {
      fromMs: lifetime.firstMs,
      toMs: lifetime.lastMs,
      instances,
      links: this.#links,
      complete,
      partial: [...new Set([...partial, ...this.#withoutRoom(instances)])],
      spans: this.#spans,
      foreign: this.#foreign,
      duplicates: this.#duplicates,
      dropped: this.#omittedLives.count,
      omitted,
    }
  }

  /** What found no room, in words that stay the same when more of it comes. */
  #withoutRoom(instances: readonly Instance[]): string[] {
    const full = instances.filter(({ omitted }) => omitted > 0).map(({ node }) => node)
    const nodes = [...new Set(full)].sort()
    return [
      ...(this.#omittedLives.hasLong
        ? [`of more than ${maxInstances} processes some found no room: diagnose one mesh alone, or a shorter period`]
        : []),
      ...(nodes.length > 0 ? [`${nodes[0]} has more counts than find room`] : []),
      ...(nodes.length > 1 ? ['other nodes have more counts than find room, too'] : []),
      ...(this.#links.omitted > 0 ? ['there are more open links than find room'] : []),
    ]
  }

  /** Undefined for a process that found no room. */
  #instanceOf(span: TraceSpan): Instance | undefined {
    const { resource, service } = span
    if (this.#last?.resource === resource && this.#last.service === service) return this.#last.instance
    const key = lifeKeyOf(span)
    let instance = this.#instances.get(key)
    if (instance === undefined) {
      if (this.#omittedLives.note(key, span)) return undefined
      if (this.#instances.size >= maxInstances) this.#dropShortest()
      instance = new Instance(span)
      this.#instances.set(key, instance)
    }
    this.#last = { resource, service, instance }
    return instance
  }

  /** What comes of a dropped process later is left out, too: without its begin it would mislead. */
  #dropShortest(): void {
    const [shortest] = [...this.#instances.values()].sort((a, b) => a.lastMs - a.firstMs - (b.lastMs - b.firstMs))
    if (shortest === undefined) return
    this.#instances.delete(shortest.key)
    this.#last = undefined
    this.#omitted += shortest.omitted
    this.#omittedLives.add(shortest)
  }
}

function byBegin(a: Instance, b: Instance): number {
  return a.firstMs - b.firstMs || (a.key < b.key ? -1 : 1)
}

function isOfMesh({ resource, name }: TraceSpan): boolean {
  return (
    typeof resource['service.instance.id'] === 'string' && resource['mesh.node.name'] !== undefined && isDeclared(name)
  )
}

function isDeclared(name: string): name is SpanName {
  return Object.hasOwn(declared, name)
}
