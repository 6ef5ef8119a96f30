/** Lists of the census whose lines are `KEY FIELD FIELD ...`; a key may contain spaces, a field not. */
const fieldsByList: Readonly<Record<string, readonly string[]>> = {
  'mesh.audit.protocols': ['in', 'out', 'half_closed', 'oldest_s'],
  'mesh.audit.applications': ['size'],
  'mesh.audit.owned': ['held'],
  'mesh.audit.limits': ['refusals', 'usage', 'limit'],
  'mesh.audit.seeds': ['state', 'campaign', 'attempt', 'attempts', 'next_ms'],
}

/** The fields of a list's lines; undefined for a list or a text without such lines. */
export function fieldsOfList(attribute: string): readonly string[] | undefined {
  return Object.hasOwn(fieldsByList, attribute) ? fieldsByList[attribute] : undefined
}

/** Owners of single dials have the name of their peer: they would be a series each, and their parent counts them. */
const isOfDial = /\/dial \S/

/** A line with a space between any two fields, and empty if it is left out; `usage/limit` and `attempt/attempts` are two. */
export function lineOf(attribute: string, entry: unknown): string {
  const line = String(entry)
  if (attribute === 'mesh.audit.limits') return line.replace(/\/(?=[^/ ]*$)/, ' ')
  if (attribute === 'mesh.audit.seeds') return line.replace(/ (\d+)\/(\d+ \S+)$/, ' $1 $2')
  return attribute === 'mesh.audit.owned' && isOfDial.test(line) ? '' : line
}

/** The parts of a line: its key with the space after it, and a number for each field, NaN for another text. */
export function partsOfLine(line: string, fields: number): { readonly start: string; readonly values: number[] } {
  const words = line.split(' ')
  if (words.length < fields) return { start: '', values: [] }
  const key = words.slice(0, -fields).join(' ')
  return { start: `${key} `, values: words.slice(-fields).map(numberOf) }
}

export function numberOf(text: string): number {
  return text === '' ? Number.NaN : Number(text)
}
