import { attributeRenames } from '../catalogue/renamed.ts'
import { type ByteReader, unusual } from './byte-reader.ts'
import { warningsKey } from './otlp-json.ts'
import type { Value } from './trace.ts'

const [quote, openObject, closeObject, openList, closeList] = [0x22, 0x7b, 0x7d, 0x5b, 0x5d]

const literals = {
  key: Buffer.from('{"key":'),
  value: Buffer.from(',"value":{'),
  end: Buffer.from('}}'),
  values: Buffer.from('"values":['),
  true: Buffer.from('true'),
  false: Buffer.from('false'),
}

/** What a value begins with, by kind. */
const kinds = {
  string: '"stringValue":',
  int: '"intValue":',
  text: '"intValue":"',
  double: '"doubleValue":',
  bool: '"boolValue":',
  array: '"arrayValue":{',
} as const
type Kind = keyof typeof kinds
const kindBytes = Object.entries(kinds).map(([kind, text]) => [kind as Kind, Buffer.from(text)] as const)

/** A key with the kind of its value: how an attribute begins. */
interface Step {
  readonly key: string
  readonly kind: Kind
  readonly bytes: Uint8Array
  /** Number of the step, for what is remembered about it. */
  readonly index: number
  /** The step that came after it last time, and so probably comes again. */
  next: Step | undefined
}

/** Before the first attribute of the spans of one name. */
interface SpanStart extends Pick<Step, 'next'> {
  readonly span: string
}

/** Steps that are known; one beyond them is read anew each time. */
const maxSteps = 2_048
/** More than the catalogue has. */
const maxSpans = 128

/** The long values of one process, as its last span had them: most lists of a census are those of the one before. */
export type LastValues = ({ readonly bytes: Buffer; readonly value: Value } | undefined)[]

/** Reads the attributes of spans, which are nearly always those of an earlier span, with other values. */
export class AttributeReader {
  readonly #reader: ByteReader
  readonly #steps: Step[] = []
  readonly #starts: SpanStart[] = []
  #last: Pick<Step, 'next'> | undefined
  /** The keys of the last span of each length. */
  readonly #keys: (readonly string[])[] = []

  constructor(reader: ByteReader) {
    this.#reader = reader
  }

  /** Fills `values` and returns the keys, in the order of the sender. `span`: its name. */
  read(span: string, values: Value[], lastValues: LastValues): readonly string[] {
    const reader = this.#reader
    this.#last = this.#startOf(span)
    const keys: string[] = []
    for (let more = reader.opens(openList, closeList); more; more = reader.continues(closeList)) {
      const step = this.#step()
      keys.push(step.key)
      values.push(step.kind === 'array' ? this.#array(step, lastValues) : this.#scalar(step.kind))
      reader.expectAll(literals.end)
    }
    return this.#shared(keys)
  }

  #startOf(span: string): SpanStart {
    for (const start of this.#starts) if (start.span === span) return start
    const start = { span, next: undefined }
    if (this.#starts.length < maxSpans) this.#starts.push(start)
    return start
  }

  /** Equal lists of keys are one list. */
  #shared(keys: string[]): readonly string[] {
    const known = this.#keys[keys.length]
    if (known?.every((key, index) => key === keys[index])) return known
    if (keys.length < maxSteps) this.#keys[keys.length] = keys
    return keys
  }

  #step(): Step {
    const reader = this.#reader
    const guess = this.#last?.next
    if (guess !== undefined && reader.skipAll(guess.bytes)) {
      this.#last = guess
      return guess
    }
    const step = this.#findStep()
    if (this.#last !== undefined) this.#last.next = step
    this.#last = step
    return step
  }

  #findStep(): Step {
    const reader = this.#reader
    const from = reader.mark()
    reader.expectAll(literals.key)
    const key = reader.name()
    // The general reader gives it another name, or leaves it out.
    if (key === warningsKey || Object.hasOwn(attributeRenames, key)) throw unusual
    reader.expectAll(literals.value)
    const kind = this.#kind()
    const known = this.#steps.find((step) => step.key === key && step.kind === kind)
    if (known !== undefined) return known
    const step = {
      key,
      kind,
      bytes: Uint8Array.from(reader.copyFrom(from)),
      index: this.#steps.length,
      next: undefined,
    }
    if (this.#steps.length < maxSteps) this.#steps.push(step)
    return step
  }

  #kind(): Kind {
    for (const [kind, bytes] of kindBytes) {
      if (kind === 'int' && this.#reader.peek(11) === quote) continue
      if (this.#reader.skipAll(bytes)) return kind
    }
    throw unusual
  }

  #scalar(kind: Kind): string | number | boolean {
    const reader = this.#reader
    switch (kind) {
      case 'string':
        return reader.text()
      case 'int':
        return reader.integer()
      case 'text': {
        const value = reader.integer()
        reader.expect(quote)
        return value
      }
      case 'double':
        return reader.decimal()
      case 'bool': {
        if (reader.skipAll(literals.true)) return true
        reader.expectAll(literals.false)
        return false
      }
      case 'array':
        throw unusual
    }
  }

  #array({ index }: Step, lastValues: LastValues): Value {
    const reader = this.#reader
    const last = lastValues[index]
    if (last !== undefined && reader.skipCopy(last.bytes)) return last.value
    const from = reader.mark()
    const value = this.#list()
    if (index < maxSteps) lastValues[index] = { bytes: reader.copyFrom(from), value }
    return value
  }

  /** A list after its opening brace, with its closing one. */
  #list(): Value {
    const reader = this.#reader
    const list: (string | number | boolean)[] = []
    if (reader.skip(closeObject)) return list
    reader.expectAll(literals.values)
    if (!reader.skip(closeList)) {
      do {
        reader.expect(openObject)
        if (reader.skip(closeObject)) {
          list.push('')
          continue
        }
        list.push(this.#scalar(this.#kind()))
        reader.expect(closeObject)
      } while (reader.skip(0x2c))
      reader.expect(closeList)
    }
    reader.expect(closeObject)
    return list
  }
}
