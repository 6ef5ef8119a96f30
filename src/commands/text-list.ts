/** Narrower than this no text fits beside its name, so it begins below it. */
const leastText = 24

/**
 * One row per line: names, aligned, and a text. In a terminal of `columns` a text continues under its own begin, and a
 * last line counts the rows; without `columns` each row is one line, for other programs.
 */
export function textList(
  rows: readonly (readonly [name: string, text: string])[],
  columns: number | undefined,
  what: string,
): string {
  const width = Math.max(...rows.map(([name]) => name.length)) + 2
  const lines = rows.flatMap(([name, text]) => hang(name.padEnd(width), text, columns))
  const count = columns === undefined ? [] : [`${rows.length} ${what}`]
  return [...lines, ...count, ''].join('\n')
}

/** A line that continues under the begin of `text` where it is longer than `columns`. */
export function hang(head: string, text: string, columns = Number.POSITIVE_INFINITY): string[] {
  const isBeside = columns - head.length >= leastText
  const indent = ' '.repeat(isBeside ? head.length : 4)
  const parts = wrap(text, Math.max(1, columns - indent.length))
  const [first = '', ...rest] = isBeside ? parts : ['', ...parts]
  return [`${head}${first}`.trimEnd(), ...rest.map((part) => `${indent}${part}`)]
}

/** Breaks a text at spaces; a longer word, such as an address, is broken anywhere. */
function wrap(text: string, width: number): string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    const last = lines.at(-1) ?? ''
    if (last === '') lines[lines.length - 1] = word
    else if (last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  if (width === Number.POSITIVE_INFINITY) return lines
  return lines.flatMap((line) => (line.length <= width ? [line] : (line.match(new RegExp(`.{1,${width}}`, 'g')) ?? [])))
}
