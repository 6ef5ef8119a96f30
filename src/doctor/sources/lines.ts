/** A line of a file, or why it was skipped. */
export type Line =
  | { readonly bytes: Buffer; readonly isLast: boolean }
  | { readonly bytes: undefined; readonly length: number }

const [newline, carriageReturn] = [0x0a, 0x0d]
const empty = Buffer.alloc(0)

/**
 * The lines of a stream, without their ends, and without empty ones. A line above `maxBytes` is skipped as it arrives, so
 * that no input fills the memory. `isLast`: the stream ended without a line end, so the line may be cut off.
 */
export async function* linesOf(chunks: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<Line, void> {
  let parts: Buffer[] = []
  let bytes = 0
  const take = (isLast: boolean): Line | undefined => {
    const length = bytes
    const [first = empty] = parts
    const whole = parts.length < 2 ? first : Buffer.concat(parts, length)
    parts = []
    bytes = 0
    if (length > maxBytes) return { bytes: undefined, length }
    const line = whole.at(-1) === carriageReturn ? whole.subarray(0, -1) : whole
    return line.byteLength === 0 ? undefined : { bytes: line, isLast }
  }
  const keep = (part: Buffer) => {
    bytes += part.byteLength
    if (bytes <= maxBytes) parts.push(part)
    else parts = []
  }
  for await (const chunk of chunks) {
    let from = 0
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
      keep(chunk.subarray(from, end))
      from = end + 1
      const line = take(false)
      if (line !== undefined) yield line
    }
    if (from < chunk.byteLength) keep(chunk.subarray(from))
  }
  if (bytes === 0) return
  const line = take(true)
  if (line !== undefined) yield line
}
