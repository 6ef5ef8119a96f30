const units = [
  { ms: 86_400_000, name: 'd' },
  { ms: 3_600_000, name: 'h' },
  { ms: 60_000, name: 'min' },
  { ms: 1_000, name: 's' },
] as const

/** Milliseconds for people: `0.4 ms`, `312 ms`, `2.5 s`, `3.2 min`. */
export function duration(ms: number): string {
  const unit = units.find((candidate) => Math.abs(ms) >= candidate.ms)
  if (unit !== undefined) return `${short(ms / unit.ms)} ${unit.name}`
  return Math.abs(ms) >= 1 || ms === 0 ? `${Math.round(ms)} ms` : `${short(ms)} ms`
}

function short(value: number): string {
  return Math.abs(value) >= 10 ? String(Math.round(value)) : String(Math.round(value * 10) / 10)
}

/** Local time of day, with milliseconds on request. */
export function clock(epochMs: number, withMs = false): string {
  const at = new Date(epochMs)
  const text = [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':')
  return withMs ? `${text}.${String(at.getMilliseconds()).padStart(3, '0')}` : text
}

/** The last characters of a peer id: all ids begin alike. */
export function shortId(id: string): string {
  return id.length > 16 ? `…${id.slice(-8)}` : id
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}
