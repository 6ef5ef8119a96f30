import type { SpanName } from '../../catalogue/spans.ts'
import { attributeOf, listsOf } from '../../traces/listed-span.ts'
import type { TraceSpan, Value } from '../../traces/trace.ts'
import { BoundedMap } from './bounded-map.ts'
import { Lifetime } from './lifetime.ts'
import { Notes } from './notes.ts'
import { RareSpans, type SpanLimits } from './rare-spans.ts'
import { SeqSet } from './seq-set.ts'
import { Series } from './series.ts'

/** Series of one process, registries and lines of lists included: a clean node has some 200. */
const maxSeries = 2_048
/** A name that the catalogue lacks may come from a later version. */
const maxNames = 160
/** Registries and collections of one process, by name and owner. */
const maxRegistries = 256

/** A span as a proof: where to look for it. */
export interface Witness {
  readonly traceId: string
  readonly spanId: string
  readonly span: string
  readonly atMs: number
}

/** A registry or collection of a process. */
export interface RegistryKey {
  readonly name: string
  readonly owner: string
  /** Its numbers are the series `KEY FIELD`, such as `registry members node-1/view size`. */
  readonly key: string
}

interface RegistryNotes extends RegistryKey {
  readonly notes: Notes
}

/** A text or list of the censuses, as the last census has it. */
interface LastText {
  atMs: number
  value: Value
}

/** What the spans of one life of a node say. */
export class Instance {
  /** Of this life alone, see `lifeKeyOf`. */
  readonly key: string
  /** `service.instance.id`: new at every start, unless the environment sets it. */
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
  /** Of the censuses. */
  readonly #notes = new Notes(this, (attribute) => attribute)
  readonly #registries = new BoundedMap<string, RegistryNotes>(maxRegistries)
  readonly #lifetime = new Lifetime()
  #hasCensus = false
  #firstCensus: Witness | undefined
  #lastCensus: Witness | undefined
  #stopMs = Number.POSITIVE_INFINITY

  constructor(span: TraceSpan) {
    const { resource, service } = span
    const text = (key: string) => String(resource[key] ?? '')
    this.key = lifeKeyOf(span)
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
    return this.#lifetime.firstMs
  }

  /** End of its latest span. */
  get lastMs(): number {
    return this.#lifetime.lastMs
  }

  /** When it began to stop; Infinity while no span says so. What is counted later is of a process that lets go of all. */
  get stopMs(): number {
    return this.#stopMs
  }

  /** Its first and last census while it ran. */
  get censuses(): readonly Witness[] {
    return [this.#firstCensus, this.#lastCensus].filter((one) => one !== undefined)
  }

  /** Whether it emitted a census at all: a short life has only the one of its stop. */
  get hasCensus(): boolean {
    return this.#hasCensus
  }

  /** Series, texts and registries that found no room: then a rule may see too little. */
  get omitted(): number {
    return this.#series.omitted + this.#texts.omitted + this.#spans.omitted + this.#registries.omitted
  }

  /** Spans that take memory. */
  get retainedSpans(): number {
    return [...this.#spans.values()].reduce((sum, { size }) => sum + size, 0)
  }

  /** Spans of a name by start, at most 128; `countOf` has their number. */
  spans(name: SpanName): readonly TraceSpan[] {
    const retained = this.#spans.get(name)?.retained() ?? []
    return this.#lifetime.hasOdd ? retained.filter(({ startMs }) => this.#lifetime.isPlausible(startMs)) : retained
  }

  countOf(name: SpanName): number {
    return this.#spans.get(name)?.count ?? 0
  }

  /**
   * A number of the census by its attribute; a number of a line of a list as `ATTRIBUTE KEY FIELD`, see `lists.ts`; one
   * of a registry as `registry NAME OWNER FIELD`.
   */
  series(key: string): Series | undefined {
    const series = this.#series.get(key)
    return this.#lifetime.hasOdd ? series?.within(this.firstMs, this.lastMs) : series
  }

  /** All series whose key begins with the prefix. */
  seriesOf(prefix: string): [string, Series][] {
    const all = [...this.#series].filter(([key]) => key.startsWith(prefix))
    if (!this.#lifetime.hasOdd) return all
    return all.flatMap(([key]): [string, Series][] => {
      const series = this.series(key)
      return series === undefined ? [] : [[key, series]]
    })
  }

  /** Its registries and collections: a name may have spaces, so a key does not say where the name ends. */
  registries(): readonly RegistryKey[] {
    return [...this.#registries.values()]
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
  noteTimes(span: TraceSpan): void {
    this.#lifetime.add(span.startMs)
    if (span.durationMs > 0) this.#lifetime.add(span.startMs + span.durationMs)
    this.#stopMs = Math.min(this.#stopMs, stopOf(span))
  }

  /** Returns whether one span more takes memory. */
  noteSpan(span: TraceSpan, limits: SpanLimits): boolean {
    const spans = this.#spans.getOrCreate(span.name, () => new RareSpans(limits))
    const before = spans?.size ?? 0
    spans?.add(span)
    return (spans?.size ?? 0) > before
  }

  shrinkSpans(limits: SpanLimits): void {
    for (const spans of this.#spans.values()) spans.shrink(limits)
  }

  /** The census after the stop counts what is left: `mesh.node.stopped` says that, too, and it is no point of a series. */
  noteCensus(span: TraceSpan): void {
    this.#hasCensus = true
    if (isOfStop(span)) return
    const witness = witnessOf(span)
    if (this.#firstCensus === undefined || witness.atMs < this.#firstCensus.atMs) this.#firstCensus = witness
    if (this.#lastCensus === undefined || witness.atMs >= this.#lastCensus.atMs) this.#lastCensus = witness
    const { keys, values } = listsOf(span)
    this.#notes.add(keys, values, span.startMs)
  }

  noteRegistry(span: TraceSpan): void {
    const name = String(attributeOf(span, 'mesh.registry.name') ?? span.name.slice('mesh.audit.'.length))
    const owner = String(attributeOf(span, 'mesh.registry.owner') ?? 'application')
    const key = `registry ${name} ${owner}`
    // Its texts, such as bands, are not asked for.
    const target = { noteNumber: this.noteNumber.bind(this), noteText: () => {} }
    const create = () => ({ name, owner, key, notes: new Notes(target, (attribute) => registryKey(key, attribute)) })
    const { keys, values } = listsOf(span)
    this.#registries.getOrCreate(key, create)?.notes.add(keys, values, span.startMs)
  }

  noteNumber(key: string, atMs: number, value: number): Series | undefined {
    const present = this.#series.get(key)
    if (present === undefined) return this.#series.getOrCreate(key, () => new Series({ atMs, value }))
    present.note(atMs, value)
    return present
  }

  noteText(attribute: string, atMs: number, value: Value): void {
    const present = this.#texts.getOrCreate(attribute, () => ({ atMs, value }))
    if (present === undefined || present.atMs > atMs) return
    present.atMs = atMs
    present.value = value
  }
}

function registryKey(registry: string, attribute: string): string | undefined {
  const prefix = 'mesh.registry.'
  return attribute.startsWith(prefix) ? `${registry} ${attribute.slice(prefix.length)}` : undefined
}

/**
 * What distinguishes one life of a node from all others. The environment may set `service.instance.id` to the same for
 * all starts, for all nodes of a pod, or for the two meshes of a bridge, and each counts its spans from 1.
 */
export function lifeKeyOf({ service, resource }: TraceSpan): string {
  const parts = ['mesh.node.name', 'mesh.peer.self', 'service.instance.id'].map((key) => resource[key] ?? '')
  return [service, ...parts, Number(resource['mesh.node.incarnation'] ?? 0)].join('\n')
}

/** A stop emits its spans at its end, the last census first. */
const lastCensusMs = 1_000

/** When the stop of a process began, if this span is of its end. */
function stopOf(span: TraceSpan): number {
  if (span.name === 'mesh.node.stopped') {
    const tookMs = attributeOf(span, 'mesh.stop.duration_ms')
    return span.startMs - (typeof tookMs === 'number' ? tookMs : 0)
  }
  return isOfStop(span) ? span.startMs - lastCensusMs : Number.POSITIVE_INFINITY
}

function isOfStop(span: TraceSpan): boolean {
  return span.name === 'mesh.audit' && attributeOf(span, 'mesh.audit.cause') === 'stopped'
}

export function witnessOf(span: TraceSpan): Witness {
  return { traceId: span.traceId, spanId: span.spanId, span: span.name, atMs: span.startMs }
}
