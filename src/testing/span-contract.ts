import type { AttributeSpec } from '../catalogue/attribute-spec.ts'
import { attributes } from '../catalogue/attributes.ts'
import { attributesOf, specOf, type TraceRef } from '../catalogue/span-effect.ts'
import { type Relative, type SpanName, type SpanSpec, spans } from '../catalogue/spans.ts'
import type { ReceivedSpan } from './otlp/otlp-receiver.ts'

/** An emitted span, with its parent resolved. */
export interface CheckedSpan {
  readonly span: string
  /** One process of a node. */
  readonly node: string
  readonly attributes: Readonly<Record<string, unknown>>
  /** Its own ids; undefined for a span without children and links to it. */
  readonly ref: TraceRef | undefined
  /** Undefined or null for a root. */
  readonly parent: TraceRef | null | undefined
  readonly links: readonly Pick<TraceRef, 'spanId'>[]
}

interface Emitter {
  readonly span: string
  readonly node: string
}

/** Spans whose descendants are checked: more than any test has at once. */
const maxKnown = 100_000

/**
 * Compares spans with their declaration: an attribute that is required but absent, undeclared or of another type, and a
 * parent or link of another kind. A parent or link that it has not seen is not judged. Spans of other names are those of
 * an application.
 */
export class SpanContract {
  /** By span id. */
  #known = new Map<string, Emitter>()

  /** Adds a span, whose children may come before it when it is `add`ed first and `check`ed later. */
  add({ span, node, ref }: Pick<CheckedSpan, 'span' | 'node' | 'ref'>): void {
    if (ref === undefined) return
    if (this.#known.size >= maxKnown) this.#known = new Map([...this.#known].slice(maxKnown / 2))
    this.#known.set(ref.spanId, { span, node })
  }

  /** The violations of one span, each as a sentence. */
  check(span: CheckedSpan): string[] {
    if (!isSpanName(span.span)) return span.span.startsWith('mesh.') ? [`${span.span} is not declared`] : []
    const spec = specOf(spans, span.span)
    return [...attributeProblems(span, spec), ...this.#parentProblems(span, spec), ...this.#linkProblems(span, spec)]
  }

  #parentProblems(span: CheckedSpan, { parents = ['mesh.window'] }: SpanSpec): string[] {
    const { parent, ref } = span
    if (parent === undefined || parent === null) return parents.some(mayBeMissing) ? [] : [`${span.span} is a root`]
    if (ref !== undefined && ref.traceId !== parent.traceId) return [`${span.span} is in another trace than its parent`]
    return this.#relativeProblems(span, 'a child of', parent.spanId, parents)
  }

  #linkProblems(span: CheckedSpan, { links = [] }: SpanSpec): string[] {
    return span.links.flatMap(({ spanId }) => this.#relativeProblems(span, 'linked to', spanId, links))
  }

  #relativeProblems(span: CheckedSpan, how: string, id: string, allowed: readonly Relative[]): string[] {
    const emitter = this.#known.get(id)
    if (emitter === undefined || allowed.some((one) => matches(one, emitter, span))) return []
    const whose = emitter.node === span.node ? '' : 'remote '
    return [`${span.span} is ${how} ${whose}${emitter.span}, not ${allowed.join(' or ') || 'declared'}`]
  }
}

type CheckedFields = 'name' | 'traceId' | 'spanId' | 'parentSpanId' | 'links' | 'attributes' | 'resource'

/** The violations in what a receiver has received, each once. */
export function violationsIn(received: readonly Pick<ReceivedSpan, CheckedFields>[]): readonly string[] {
  const contract = new SpanContract()
  const spans = received.map(({ name, traceId, spanId, parentSpanId, resource, ...rest }): CheckedSpan => {
    const parent = parentSpanId === '' ? undefined : { traceId, spanId: parentSpanId }
    const node = String(resource['service.instance.id'])
    return { span: name, node, ref: { traceId, spanId }, parent, links: rest.links, attributes: rest.attributes }
  })
  for (const span of spans) contract.add(span)
  return [...new Set(spans.flatMap((span) => contract.check(span)))]
}

/** Sampling may drop a window, and another node may not export its spans. */
function mayBeMissing(parent: Relative): boolean {
  return parent === 'root' || parent === 'mesh.window' || parent.startsWith('remote ')
}

function matches(relative: Relative, emitter: Emitter, { node }: CheckedSpan): boolean {
  if (relative === 'root') return false
  if (relative === 'evidence') return true
  if (relative === 'application') return !emitter.span.startsWith('mesh.')
  const [whose, name = whose] = relative.split(' ')
  return emitter.span === name && (emitter.node !== node) === (whose === 'remote')
}

function attributeProblems({ span, attributes: given }: CheckedSpan, spec: SpanSpec): string[] {
  const missing = spec.attributes.filter((name) => given[name] === undefined)
  const declared: readonly string[] = [...attributesOf(spec), 'mesh.seq']
  const undeclared = Object.keys(given).filter((name) => !declared.includes(name))
  const wrong = attributesOf(spec).filter(
    (name) => given[name] !== undefined && !hasType(given[name], attributes[name]),
  )
  return [
    ...missing.map((name) => `${span} lacks ${name}`),
    ...undeclared.map((name) => `${span} has ${name}, which it does not declare`),
    ...wrong.map((name) => `${span} has ${name}=${String(given[name])}, which is no ${attributes[name].type}`),
  ]
}

function hasType(value: unknown, { type }: AttributeSpec): boolean {
  switch (type) {
    case 'int':
      return Number.isInteger(value)
    case 'double':
      return typeof value === 'number' && Number.isFinite(value)
    case 'string':
    case 'boolean':
      return typeof value === type
    case 'string[]':
      return Array.isArray(value) && value.every((one) => typeof one === 'string')
    default:
      return type.includes(String(value))
  }
}

function isSpanName(name: string): name is SpanName {
  return Object.hasOwn(spans, name)
}
