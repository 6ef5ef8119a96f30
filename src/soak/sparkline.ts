const blocks = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const

/** Numbers as a line of blocks, from their least to their largest; at most `width` of them, evenly chosen. */
export function sparkline(values: readonly number[], width = 24): string {
  const shown = values.length <= width ? values : Array.from({ length: width }, (_, at) => pick(values, at, width))
  const [least, most] = [Math.min(...shown), Math.max(...shown)]
  const highest = blocks.length - 1
  const height = (value: number) => (most > least ? Math.round(((value - least) / (most - least)) * highest) : 0)
  return shown.map((value) => blocks[height(value)]).join('')
}

/** The first and the last are always among them. */
function pick(values: readonly number[], at: number, width: number): number {
  return values[Math.round((at * (values.length - 1)) / (width - 1))] ?? 0
}
