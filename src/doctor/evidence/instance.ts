import type { SpanName } from '../../catalogue/spans.ts'
import type { TraceSpan, Value } from '../../traces/trace.ts'
import { BoundedMap } from './bounded-map.ts'
import { RareSpans } from './rare-spans.ts'
import { SeqSet } from './seq-set.ts'
import { type Point, Series } from './series.ts'

/** Series of one process, registries and lines of lists included: a clean node has some 200. */
const maxSeries = 2_048
/** A name that the catalogue lacks may come from a later version. */
const maxNames = 160

/** A span as a proof: where to look for it. */
export interface Witness {
  readonly traceId: string
  readonly spanId: string
  readonly span: string
  readonly atMs: number
}

/** A text or list of the censuses, as the last census has it. */
interface LastText {
  readonly atMs: number
  readonly value: Value
}

/** What the spans of one process say. `service.instance.id` is new at every start. */
export class Instance {
  readonly id: string
  readonly mesh: string
  readonly node: string
  readonly role: string
  readonly peer: string
  readonly incarnation: number
  readonly version: string
  readonly host: string
  readonly seqs = new SeqSet()
  readonly #series = new BoundedMap<string, Series>(maxSeries)
  readonly #texts = new BoundedMap<string, LastText>(maxNames)
  readonly #spans = new BoundedMap<string, RareSpans>(maxNames)
  #firstMs = Number.POSITIVE_INFINITY
  #lastMs = Number.NEGATIVE_INFINITY
  #firstCensus: Witness | undefined
  #lastCensus: Witness | undefined

  constructor({ resource, service }: TraceSpan) {
    const text = (key: string) => String(resource[key] ?? '')
    this.id = text('service.instance.id')
    this.mesh = service
    this.node = text('mesh.node.name')
    this.role = text('mesh.node.role')
    this.peer = text('mesh.peer.self')
    this.incarnation = Number(resource['mesh.node.incarnation'] ?? 0)
    this.version = text('service.version')
    this.host = text('host.id')
  }

  /** Start of its earliest span, milliseconds since 1970 by its own clock. */
  get firstMs(): number {
    return this.#firstMs
  }

  /** End of its latest span. */
  get lastMs(): number {
    return this.#lastMs
  }

  /** Its first and last census. */
  get censuses(): readonly Witness[] {
    return [this.#firstCensus, this.#lastCensus].filter((one) => one !== undefined)
  }

  /** Series and texts that found no room: then a rule may see too little. */
  get omitted(): number {
    return this.#series.omitted + this.#texts.omitted + this.#spans.omitted
  }

  /** Spans of a name by start, at most 128; `countOf` has their number. */
  spans(name: SpanName): readonly TraceSpan[] {
    return this.#spans.get(name)?.retained() ?? []
  }

  countOf(name: SpanName): number {
    return this.#spans.get(name)?.count ?? 0
  }

  /**
   * A number of the census by its attribute; a number of a line of a list as `ATTRIBUTE KEY FIELD`, see `lists.ts`; one
   * of a registry as `registry NAME OWNER FIELD`.
   */
  series(key: string): Series | undefined {
    return this.#series.get(key)
  }

  /** All series whose key begins with the prefix. */
  seriesOf(prefix: string): [string, Series][] {
    return [...this.#series].filter(([key]) => key.startsWith(prefix))
  }

  /** The last value of a text or a list of the census. */
  text(attribute: string): Value | undefined {
    return this.#texts.get(attribute)?.value
  }

  /** Connections that entered the ledger within the evidence, a measure of churn; 0 if the censuses do not say. */
  get churnEvents(): number {
    return this.series('mesh.audit.opened_total')?.rise ?? 0
  }

  /** Extends its life by a span. */
  noteTimes({ startMs, durationMs }: TraceSpan): void {
    this.#firstMs = Math.min(this.#firstMs, startMs)
    this.#lastMs = Math.max(this.#lastMs, startMs + durationMs)
  }

  noteSpan(span: TraceSpan): void {
    this.#spans.getOrCreate(span.name, () => new RareSpans())?.add(span)
  }

  noteCensus(span: TraceSpan): void {
    const witness = witnessOf(span)
    if (this.#firstCensus === undefined || witness.atMs < this.#firstCensus.atMs) this.#firstCensus = witness
    if (this.#lastCensus === undefined || witness.atMs >= this.#lastCensus.atMs) this.#lastCensus = witness
  }

  noteNumber(key: string, point: Point): void {
    let isNew = false
    const series = this.#series.getOrCreate(key, () => {
      isNew = true
      return new Series(point)
    })
    if (!isNew) series?.add(point)
  }

  noteText(attribute: string, atMs: number, value: Value): void {
    const present = this.#texts.get(attribute)
    if (present !== undefined && present.atMs > atMs) return
    this.#texts.delete(attribute)
    this.#texts.getOrCreate(attribute, () => ({ atMs, value }))
  }
}

export function witnessOf(span: TraceSpan): Witness {
  return { traceId: span.traceId, spanId: span.spanId, span: span.name, atMs: span.startMs }
}
