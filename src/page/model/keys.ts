/**
 * A key for each row from what it says, the same in every list that has the row: a list that loses its oldest rows keeps
 * the elements of all others. Rows that say the same are numbered from the last, which is the newest.
 */
export function contentKeys<T>(rows: readonly T[], contentOf: (row: T) => string): readonly string[] {
  const seen = new Map<string, number>()
  return rows
    .toReversed()
    .map((row) => {
      const content = contentOf(row)
      const count = (seen.get(content) ?? 0) + 1
      seen.set(content, count)
      return `${content} ${count}`
    })
    .toReversed()
}
