/** The z value of Mann and Kendall's test for a trend, with the correction for ties; 0 for fewer than three values. */
export function mannKendall(values: readonly number[]): number {
  const n = values.length
  if (n < 3) return 0
  let s = 0
  for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) s += Math.sign((values[j] ?? 0) - (values[i] ?? 0))
  const ties = [...Map.groupBy(values, (value) => value).values()].map(({ length }) => length)
  const correction = ties.reduce((sum, t) => sum + t * (t - 1) * (2 * t + 5), 0)
  const variance = (n * (n - 1) * (2 * n + 5) - correction) / 18
  return variance === 0 || s === 0 ? 0 : (s - Math.sign(s)) / Math.sqrt(variance)
}
