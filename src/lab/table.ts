/** A column of a text table. */
export interface Column<T> {
  readonly head: string
  readonly of: (item: T) => string | number
}

/** Renders a table as lines, its head first, with numbers aligned to the right. */
export function table<T>(columns: readonly Column<T>[], items: readonly T[]): string[] {
  const rows = items.map((item) => columns.map(({ of }) => of(item)))
  const widths = columns.map(({ head }, at) => Math.max(head.length, ...rows.map((row) => String(row[at]).length)))
  const right = columns.map((_column, at) =>
    rows.some((row) => typeof row[at] === 'number' || /^\d/.test(String(row[at]))),
  )
  const line = (cells: readonly (string | number)[]) =>
    cells
      .map((cell, at) => (right[at] ? String(cell).padStart(widths[at] ?? 0) : String(cell).padEnd(widths[at] ?? 0)))
      .join('  ')
      .trimEnd()
  return [line(columns.map(({ head }) => head)), ...rows.map(line)]
}
