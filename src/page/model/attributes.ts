type Wanted = Readonly<Record<string, string | number | boolean>>

/**
 * `key=value` pairs as they are typed into a search, separated by spaces; a value with spaces goes in double quotes.
 * A whole number, `true` and `false` stand for themselves; in quotes they are text.
 */
export function parseAttributes(text: string): { readonly attributes: Wanted; readonly problem?: string } {
  const attributes: Record<string, string | number | boolean> = {}
  let rest = text.trim()
  while (rest !== '') {
    const match = /^([^\s=]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))(?:\s+|$)/.exec(rest)
    if (match === null) return { attributes, problem: `write key=value, not ${rest}` }
    const [whole, key = '', quoted, plain = ''] = match
    attributes[key] = quoted === undefined ? typed(plain) : quoted.replace(/\\(.)/g, '$1')
    rest = rest.slice(whole.length)
  }
  return { attributes }
}

export function attributesText(attributes: Wanted): string {
  return Object.entries(attributes)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? quote(value) : value}`)
    .join(' ')
}

function typed(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true'
  const number = Number(text)
  return /^-?\d+(\.\d+)?$/.test(text) && Number.isFinite(number) && String(number) === text ? number : text
}

function quote(text: string): string {
  const plain = /^[^\s"\\]+$/.test(text) && typed(text) === text
  return plain ? text : `"${text.replace(/["\\]/g, '\\$&')}"`
}
