const units = [
  { bytes: 1e9, name: 'GB' },
  { bytes: 1e6, name: 'MB' },
  { bytes: 1e3, name: 'kB' },
] as const

/** `41.1 MB`, of a thousand kilobytes: the one unit of memory in every text about a diagnosis. */
export function bytesText(bytes: number): string {
  const unit = units.find((one) => Math.abs(bytes) >= one.bytes)
  return unit === undefined ? `${Math.round(bytes)} B` : `${Number((bytes / unit.bytes).toPrecision(3))} ${unit.name}`
}

/** An amount for people: two digits below ten, whole above. */
export function rounded(value: number): string {
  return String(Math.abs(value) >= 10 ? Math.round(value) : Math.round(value * 100) / 100)
}
