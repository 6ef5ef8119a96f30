import type { TraceSpan, Value } from './trace.ts'

/**
 * A span whose attributes are also two lists in the order of the sender: those of a census are a hundred and more, and a
 * record of them costs more than all else that is done with it. Its reader sets its fields.
 */
export class ListedSpan implements TraceSpan {
  traceId = ''
  spanId = ''
  parentSpanId = ''
  name = ''
  kind: TraceSpan['kind'] = ''
  startMs = 0
  durationMs = 0
  readonly resource: TraceSpan['resource']
  readonly scope: TraceSpan['scope']
  links: TraceSpan['links'] = none
  status: TraceSpan['status'] = 'unset'
  keys: readonly string[] = none
  values: readonly Value[] = none
  #attributes: Record<string, Value> | undefined

  constructor(resource: TraceSpan['resource'], scope: TraceSpan['scope']) {
    this.resource = resource
    this.scope = scope
  }

  get service(): string {
    const service = this.resource['service.name']
    return typeof service === 'string' ? service : ''
  }

  get attributes(): Readonly<Record<string, Value>> {
    if (this.#attributes === undefined) {
      // Without a prototype: a key may be called `__proto__`.
      this.#attributes = Object.create(null) as Record<string, Value>
      for (const [index, key] of this.keys.entries()) this.#attributes[key] = this.values[index] as Value
    }
    return this.#attributes
  }
}

const none: never[] = []

/** An attribute of any span. */
export function attributeOf(span: TraceSpan, key: string): Value | undefined {
  if (!(span instanceof ListedSpan)) return span.attributes[key]
  const index = span.keys.lastIndexOf(key)
  return index < 0 ? undefined : span.values[index]
}

/** The attributes of any span as two lists. */
export function listsOf(span: TraceSpan): Pick<ListedSpan, 'keys' | 'values'> {
  return span instanceof ListedSpan
    ? span
    : { keys: Object.keys(span.attributes), values: Object.values(span.attributes) }
}
