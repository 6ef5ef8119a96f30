import { ByteReader, parsed, unusual } from './byte-reader.ts'
import { ListedSpan } from './listed-span.ts'
import { AttributeReader, type LastValues } from './otlp-attributes.ts'
import {
  attributes,
  fieldsOf,
  kinds,
  type ReadResult,
  readResourceSpans,
  ShapeError,
  statuses,
  toRecord,
} from './otlp-json.ts'
import type { TraceSpan, Value } from './trace.ts'

const [quote, colon, openObject, closeObject, openList, closeList] = [0x22, 0x3a, 0x7b, 0x7d, 0x5b, 0x5d]
const requestStart = Buffer.from('{"resourceSpans":')

/** Fields that nobody asks for: of a span, its links, its scope and its group. */
const skipped: readonly string[] = [
  'flags',
  'traceState',
  'schemaUrl',
  'droppedAttributesCount',
  'droppedEventsCount',
  'droppedLinksCount',
  'events',
]

interface KnownResource {
  readonly bytes: Buffer
  readonly resource: TraceSpan['resource']
  readonly lastValues: LastValues
  /** The resource that came after it last time, and so probably comes again. */
  next: KnownResource | undefined
}

/** A field of an object with its quotes and colon. */
interface Field {
  readonly name: string
  readonly bytes: Uint8Array
  /** The field that came after it last time. */
  next: Field | undefined
}

/** A power of two: processes whose resource is read once. */
const resourceSlots = 1_024
/** More than OTLP has. */
const maxFields = 64
const noLinks: TraceSpan['links'] = []

/**
 * Reads requests of OTLP as JSON, one per line: `{"resourceSpans":[…]}`, or the answer of a trace store. Lines as the
 * Collector and the pocket store write them are read from their bytes, in a fraction of the time of `JSON.parse`; all
 * others, and whatever is unusual in one of these, by `readResourceSpans`, which has the last word on what a span is.
 */
export class OtlpLineReader {
  readonly #reader = new ByteReader()
  readonly #attributes = new AttributeReader(this.#reader)
  readonly #resources = new Array<KnownResource | undefined>(resourceSlots).fill(undefined)
  readonly #fields: Field[] = []
  #lastField: Field | undefined
  #lastResource: KnownResource | undefined
  #scope: TraceSpan['scope'] = { name: '', version: '' }

  /** @throws ShapeError or SyntaxError for a line that is no request */
  read(line: Buffer): ReadResult {
    const spans = this.readUsual(line)
    if (spans !== undefined) return { spans, unreadable: [] }
    const json = toRecord(JSON.parse(line.toString()), 'the line')
    const request = 'result' in json ? fieldsOf(json['result']) : json
    if (!('resourceSpans' in request)) throw new ShapeError('resourceSpans is missing')
    return readResourceSpans(request)
  }

  /** Undefined for a line that is not written in the usual way. */
  readUsual(line: Buffer): ListedSpan[] | undefined {
    const reader = this.#reader
    reader.begin(line)
    const spans: ListedSpan[] = []
    try {
      reader.expectAll(requestStart)
      for (let more = reader.opens(openList, closeList); more; more = reader.continues(closeList))
        this.#readGroup(spans)
      reader.expect(closeObject)
      return reader.isAtEnd ? spans : undefined
    } catch (error) {
      if (error !== unusual) throw error
      return undefined
    }
  }

  #readGroup(spans: ListedSpan[]): void {
    const reader = this.#reader
    let known: KnownResource | undefined
    for (let more = reader.opens(openObject, closeObject); more; more = reader.continues(closeObject)) {
      const field = this.#field()
      if (field === 'resource') known = this.#readResource()
      else if (field !== 'scopeSpans') this.#skip(field)
      // A resource that comes after its spans is not known yet.
      else if (known === undefined) throw unusual
      else
        for (let part = reader.opens(openList, closeList); part; part = reader.continues(closeList))
          this.#readScopeSpans(known, spans)
    }
  }

  #readScopeSpans(known: KnownResource, spans: ListedSpan[]): void {
    const reader = this.#reader
    let scope: TraceSpan['scope'] | undefined
    for (let more = reader.opens(openObject, closeObject); more; more = reader.continues(closeObject)) {
      const field = this.#field()
      if (field === 'scope') scope = this.#readScope()
      else if (field !== 'spans') this.#skip(field)
      else if (scope === undefined) throw unusual
      else
        for (let one = reader.opens(openList, closeList); one; one = reader.continues(closeList))
          spans.push(this.#readSpan(known, scope))
    }
  }

  #readScope(): TraceSpan['scope'] {
    const reader = this.#reader
    let [name, version] = ['', '']
    for (let more = reader.opens(openObject, closeObject); more; more = reader.continues(closeObject)) {
      const field = this.#field()
      if (field === 'name') name = reader.text()
      else if (field === 'version') version = reader.text()
      else throw unusual
    }
    if (name !== this.#scope.name || version !== this.#scope.version) this.#scope = { name, version }
    return this.#scope
  }

  /** Resources are few: each is read once, and shared by its spans. */
  #readResource(): KnownResource {
    const last = this.#lastResource
    if (last !== undefined && this.#reader.skipCopy(last.bytes)) return last
    const guess = last?.next
    const known = guess !== undefined && this.#reader.skipCopy(guess.bytes) ? guess : this.#findResource()
    if (last !== undefined) last.next = known
    this.#lastResource = known
    return known
  }

  #findResource(): KnownResource {
    const bytes = this.#reader.nested()
    const slot = slotOf(bytes)
    const known = this.#resources[slot]
    if (known?.bytes.equals(bytes)) return known
    const resource = attributes(fieldsOf(parsed(bytes))['attributes'])
    const entry: KnownResource = { bytes: Buffer.from(bytes), resource, lastValues: [], next: undefined }
    this.#resources[slot] = entry
    return entry
  }

  #readSpan({ resource, lastValues }: KnownResource, scope: TraceSpan['scope']): ListedSpan {
    const reader = this.#reader
    const span = new ListedSpan(resource, scope)
    const values: Value[] = []
    let [startMs, startNs, endMs, endNs] = [0, 0, 0, 0]
    for (let more = reader.opens(openObject, closeObject); more; more = reader.continues(closeObject)) {
      const field = this.#field()
      switch (field) {
        case 'traceId':
          span.traceId = reader.id(32)
          break
        case 'spanId':
          span.spanId = reader.id(16)
          break
        case 'parentSpanId':
          span.parentSpanId = reader.id(16)
          break
        case 'name':
          span.name = reader.name()
          break
        case 'kind':
          span.kind = kinds[reader.integer()] ?? ''
          break
        case 'startTimeUnixNano':
          reader.expect(quote)
          startMs = reader.digits(13)
          startNs = reader.digits(6)
          reader.expect(quote)
          break
        case 'endTimeUnixNano':
          reader.expect(quote)
          endMs = reader.digits(13)
          endNs = reader.digits(6)
          reader.expect(quote)
          break
        case 'attributes':
          span.values = values
          span.keys = this.#attributes.read(span.name, values, lastValues)
          break
        case 'links':
          span.links = this.#readLinks()
          break
        case 'status':
          span.status = this.#readStatus()
          break
        default:
          this.#skip(field)
      }
    }
    if (span.traceId === '' || span.spanId === '') throw unusual
    span.startMs = startMs + startNs / 1e6
    span.durationMs = elapsed(endMs - startMs, endNs - startNs)
    return span
  }

  #readStatus(): TraceSpan['status'] {
    const reader = this.#reader
    let code = 0
    for (let more = reader.opens(openObject, closeObject); more; more = reader.continues(closeObject)) {
      const field = this.#field()
      if (field === 'code') code = reader.integer()
      else if (field === 'message') reader.text()
      else throw unusual
    }
    return statuses[code] ?? 'unset'
  }

  #readLinks(): TraceSpan['links'] {
    const reader = this.#reader
    const links: { traceId: string; spanId: string }[] = []
    for (let more = reader.opens(openList, closeList); more; more = reader.continues(closeList)) {
      let [traceId, spanId] = ['', '']
      for (let field = reader.opens(openObject, closeObject); field; field = reader.continues(closeObject)) {
        const name = this.#field()
        if (name === 'traceId') traceId = reader.id(32)
        else if (name === 'spanId') spanId = reader.id(16)
        else if (name === 'attributes') parsed(reader.nested())
        else this.#skip(name)
      }
      if (traceId !== '' && spanId !== '') links.push({ traceId, spanId })
    }
    return links.length === 0 ? noLinks : links
  }

  /** The name of the next field, which is nearly always the one that came after the previous field last time. */
  #field(): string {
    const guess = this.#lastField?.next
    if (guess !== undefined && this.#reader.skipAll(guess.bytes)) {
      this.#lastField = guess
      return guess.name
    }
    const from = this.#reader.mark()
    const name = this.#reader.name()
    this.#reader.expect(colon)
    const field: Field = this.#fields.find((one) => one.name === name) ?? {
      name,
      bytes: Uint8Array.from(this.#reader.copyFrom(from)),
      next: undefined,
    }
    if (this.#fields.length < maxFields && !this.#fields.includes(field)) this.#fields.push(field)
    if (this.#lastField !== undefined) this.#lastField.next = field
    this.#lastField = field
    return name
  }

  #skip(field: string): void {
    if (!skipped.includes(field)) throw unusual
    const byte = this.#reader.peek()
    if (byte === quote) this.#reader.text()
    else if (byte === openObject || byte === openList) parsed(this.#reader.nested())
    else this.#reader.decimal()
  }
}

/** A clock that was set back makes a span end before its start. */
function elapsed(ms: number, ns: number): number {
  const duration = ns < 0 ? ms - 1 + (ns + 1e6) / 1e6 : ms + ns / 1e6
  return Math.max(0, duration)
}

function slotOf(bytes: Buffer): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < bytes.length; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193)
  return (hash >>> 0) % resourceSlots
}
