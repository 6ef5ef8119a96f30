type Attributes = Readonly<Record<string, string | number | boolean>>

/**
 * Parses the `key=value` pairs of a search, separated by spaces; a value with spaces is in double quotes. Numbers,
 * `true` and `false` have their own type unless they are quoted.
 */
export function parseAttributes(text: string): { readonly attributes: Attributes; readonly problem?: string } {
  const attributes: Record<string, string | number | boolean> = {}
  let rest = text.trim()
  while (rest !== '') {
    const match = /^([^\s=]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))(?:\s+|$)/.exec(rest)
    if (match === null) return { attributes, problem: `expected key=value, got ${rest}` }
    const [pair, key = '', quoted, plain = ''] = match
    attributes[key] = quoted === undefined ? parseValue(plain) : quoted.replace(/\\(.)/g, '$1')
    rest = rest.slice(pair.length)
  }
  return { attributes }
}

export function attributesText(attributes: Attributes): string {
  return Object.entries(attributes)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? quote(value) : value}`)
    .join(' ')
}

function parseValue(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true'
  const number = Number(text)
  return /^-?\d+(\.\d+)?$/.test(text) && Number.isFinite(number) && String(number) === text ? number : text
}

function quote(text: string): string {
  const plain = /^[^\s"\\]+$/.test(text) && parseValue(text) === text
  return plain ? text : `"${text.replace(/["\\]/g, '\\$&')}"`
}
