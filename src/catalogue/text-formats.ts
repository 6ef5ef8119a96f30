export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/** Line width of this repository's formatter. */
const width = 120

/**
 * JSON in the layout of this repository's formatter, so that generated files pass the check: objects with one key per
 * line, lists of plain values on one line where they fit.
 */
export function jsonText(value: Json): string {
  return `${text(value, 0, 0)}\n`
}

/** `before`: columns in use on the line, including the key and a trailing comma. */
function text(value: Json, depth: number, before: number): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  const [pad, end] = ['  '.repeat(depth + 1), '  '.repeat(depth)]
  if (isList(value)) {
    const plain = value.every((item) => item === null || typeof item !== 'object')
    const line = `[${value.map((item) => JSON.stringify(item)).join(', ')}]`
    if (plain && before + line.length <= width) return line
    return `[\n${value.map((item) => pad + text(item, depth + 1, pad.length + 1)).join(',\n')}\n${end}]`
  }
  const entries = Object.entries(value)
  if (entries.length === 0) return '{}'
  const lines = entries.map(([key, item]) => {
    const head = `${pad}${JSON.stringify(key)}: `
    return head + text(item, depth + 1, head.length + 1)
  })
  return `{\n${lines.join(',\n')}\n${end}}`
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}

/** A text as a one-line YAML string, with the quotes that this repository's formatter keeps. */
export function quote(text: string): string {
  return text.includes('"') && !/['\\\n]/.test(text) ? `'${text}'` : JSON.stringify(text)
}
