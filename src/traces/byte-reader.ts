/** Thrown where the bytes are not written as expected; the caller that catches it reads them in the general way. */
export const unusual = new Error('unusual JSON')

const [quote, backslash, comma, minus, zero, nine] = [0x22, 0x5c, 0x2c, 0x2d, 0x30, 0x39]

/** Names in the table: a power of two, several times those of the catalogue. */
const tableSize = 4_096

/**
 * Reads JSON without white space from bytes, step by step, for a caller that knows what comes. Each text is a copy, so
 * that it does not retain the line it is from; a name, such as the key of a field, is the same string every time.
 */
export class ByteReader {
  readonly #names = new Array<string | undefined>(tableSize).fill(undefined)
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0
  #end = 0

  begin(bytes: Buffer): void {
    this.#bytes = bytes
    this.#at = 0
    this.#end = bytes.byteLength
  }

  get isAtEnd(): boolean {
    return this.#at === this.#end
  }

  /** The byte at a distance; 0 beyond the end. */
  peek(distance = 0): number {
    const at = this.#at + distance
    return at < this.#end ? (this.#bytes[at] as number) : 0
  }

  /** Skips the byte if it is the next one. */
  skip(byte: number): boolean {
    if (this.peek() !== byte) return false
    this.#at++
    return true
  }

  expect(byte: number): void {
    if (!this.skip(byte)) throw unusual
  }

  /** Skips these bytes if they are the next ones. */
  skipAll(expected: Uint8Array): boolean {
    const bytes = this.#bytes
    const at = this.#at
    const { length } = expected
    if (at + length > this.#end) return false
    // The last bytes differ most often.
    for (let index = length - 1; index >= 0; index--) if (bytes[at + index] !== expected[index]) return false
    this.#at = at + length
    return true
  }

  expectAll(expected: Uint8Array): void {
    if (!this.skipAll(expected)) throw unusual
  }

  /** Skips the same bytes as before, of a long value. */
  skipCopy(copy: Buffer): boolean {
    const to = this.#at + copy.byteLength
    if (to > this.#end || this.#bytes.compare(copy, 0, copy.byteLength, this.#at, to) !== 0) return false
    this.#at = to
    return true
  }

  /** A copy of the last bytes, those from `mark` on. */
  copyFrom(mark: number): Buffer {
    return Buffer.from(this.#bytes.subarray(mark, this.#at))
  }

  mark(): number {
    return this.#at
  }

  /** Enters a list or an object; false if it is empty. */
  opens(open: number, close: number): boolean {
    this.expect(open)
    return !this.skip(close)
  }

  /** Whether a list or an object goes on after an entry; otherwise skips its end. */
  continues(close: number): boolean {
    if (this.skip(comma)) return true
    this.expect(close)
    return false
  }

  text(): string {
    this.expect(quote)
    const bytes = this.#bytes
    const [from, end] = [this.#at, this.#end]
    for (let at = from; at < end; at++) {
      const byte = bytes[at] as number
      if (byte === quote) {
        this.#at = at + 1
        return from === at ? '' : bytes.toString('latin1', from, at)
      }
      if (byte === backslash || byte < 0x20 || byte > 0x7e) return this.#escapedText(from)
    }
    throw unusual
  }

  /** A text of which there are few. One that is new in the table enters it in place of another. */
  name(): string {
    this.expect(quote)
    const bytes = this.#bytes
    const from = this.#at
    // FNV-1a
    let hash = 0x811c9dc5
    for (let at = from; at < this.#end; at++) {
      const byte = bytes[at] as number
      if (byte === quote) {
        this.#at = at + 1
        const present = this.#names[(hash >>> 0) % tableSize]
        if (present !== undefined && isAt(bytes, from, at, present)) return present
        const name = bytes.toString('latin1', from, at)
        this.#names[(hash >>> 0) % tableSize] = name
        return name
      }
      if (byte === backslash || byte < 0x20 || byte > 0x7e) throw unusual
      hash = Math.imul(hash ^ byte, 0x01000193)
    }
    throw unusual
  }

  /** A whole number of at most 15 digits. */
  integer(): number {
    const bytes = this.#bytes
    const isNegative = this.skip(minus)
    const from = this.#at
    let value = 0
    let at = from
    for (; at < this.#end; at++) {
      const digit = (bytes[at] as number) - zero
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
    }
    if (at === from || at - from > 15 || (bytes[from] === zero && at - from > 1)) throw unusual
    this.#at = at
    return isNegative ? -value : value
  }

  /** Exactly so many digits. */
  digits(count: number): number {
    const bytes = this.#bytes
    const to = this.#at + count
    if (to > this.#end) throw unusual
    let value = 0
    for (let at = this.#at; at < to; at++) {
      const digit = (bytes[at] as number) - zero
      if (digit < 0 || digit > 9) throw unusual
      value = value * 10 + digit
    }
    this.#at = to
    return value
  }

  /** Any JSON number. */
  decimal(): number {
    const bytes = this.#bytes
    const from = this.#at
    let at = from
    while (at < this.#end && isOfNumber(bytes[at] as number)) at++
    const text = bytes.toString('latin1', from, at)
    if (!/^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text)) throw unusual
    this.#at = at
    return Number(text)
  }

  /** An id of lower-case hex digits in quotes that are not all zero; empty quotes are an empty id. */
  id(digits: number): string {
    this.expect(quote)
    if (this.skip(quote)) return ''
    const bytes = this.#bytes
    const from = this.#at
    const to = from + digits
    if (to >= this.#end || bytes[to] !== quote) throw unusual
    let isZero = true
    for (let at = from; at < to; at++) {
      const byte = bytes[at] as number
      if (byte < zero || byte > 0x66 || (byte > nine && byte < 0x61)) throw unusual
      if (byte !== zero) isZero = false
    }
    if (isZero) throw unusual
    this.#at = to + 1
    return bytes.toString('latin1', from, to)
  }

  /** Skips an object or a list, whatever is in it, and returns its bytes: a view of the line. */
  nested(): Buffer {
    const bytes = this.#bytes
    const from = this.#at
    let depth = 0
    for (let at = from; at < this.#end; at++) {
      const byte = bytes[at] as number
      if (byte === quote) {
        at = bytes.indexOf(quote, at + 1)
        if (at < 0 || bytes[at - 1] === backslash) throw unusual
      } else if (byte === 0x7b || byte === 0x5b) depth++
      else if ((byte === 0x7d || byte === 0x5d) && --depth === 0) {
        this.#at = at + 1
        return bytes.subarray(from, this.#at)
      }
    }
    throw unusual
  }

  /** A text with escapes, or beyond ASCII. */
  #escapedText(from: number): string {
    const bytes = this.#bytes
    for (let at = from; at < this.#end; at++) {
      if (bytes[at] === backslash) at++
      else if (bytes[at] === quote) {
        this.#at = at + 1
        return parsed(bytes.subarray(from - 1, at + 1)) as string
      }
    }
    throw unusual
  }
}

/** Parses JSON in the general way. */
export function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch {
    throw unusual
  }
}

function isAt(bytes: Buffer, from: number, to: number, text: string): boolean {
  if (to - from !== text.length) return false
  for (let index = 0; index < text.length; index++) if (bytes[from + index] !== text.charCodeAt(index)) return false
  return true
}

function isOfNumber(byte: number): boolean {
  return (byte >= zero && byte <= nine) || byte === 0x2e || byte === minus || byte === 0x2b || (byte | 0x20) === 0x65
}
