/** Control characters, which a terminal obeys; characters that reverse or break a line; halves of characters. */
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/** A text of a span for a terminal: a character that is no text becomes its number, such as `\x1b`. */
export function printableText(text: string): string {
  return text.replaceAll(unprintable, (character) => {
    const code = character.charCodeAt(0)
    return code < 0x100 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`
  })
}

/** The same value with printable texts: anybody may send a span. */
export function printable<T>(value: T): T {
  return walk(value) as T
}

function walk(value: unknown): unknown {
  if (typeof value === 'string') return printableText(value)
  if (Array.isArray(value)) return value.map(walk)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, walk(one)]))
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0')
}
