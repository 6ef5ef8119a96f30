import type { Value } from '../../traces/trace.ts'

/** Lists of the census whose lines are `KEY FIELD FIELD ...`; a key may contain spaces, a field not. */
const fieldsByList: Readonly<Record<string, readonly string[]>> = {
  'mesh.audit.protocols': ['in', 'out', 'half_closed', 'oldest_s'],
  'mesh.audit.applications': ['size'],
  'mesh.audit.owned': ['held'],
  'mesh.audit.limits': ['refusals', 'usage'],
  'mesh.audit.seeds': ['state', 'campaign', 'attempts', 'next_ms'],
}

/** The numbers of a list's lines, by `ATTRIBUTE KEY FIELD`; fields that are no numbers are left out. */
export function numbersOf(attribute: string, value: Value): [string, number][] {
  const fields = fieldsByList[attribute]
  if (fields === undefined || !Array.isArray(value)) return []
  return value.flatMap((line) => {
    const words = String(line).split(' ')
    if (words.length < fields.length) return []
    const key = words.slice(0, -fields.length).join(' ')
    const parts = words.slice(-fields.length)
    return fields.flatMap((field, index): [string, number][] => {
      const number = Number(parts[index] === '' ? Number.NaN : parts[index])
      return Number.isFinite(number) ? [[`${attribute} ${key} ${field}`, number]] : []
    })
  })
}
