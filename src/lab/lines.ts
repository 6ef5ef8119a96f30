import { styleText } from 'node:util'
import { hang } from '../commands/text-list.ts'
import { clock } from '../page/model/text.ts'
import type { Colour, LabSpan } from './node-log.ts'
import type { LabRecord, NodeRecord } from './record.ts'

/** Colours a text, or returns it unchanged. */
export type Paint = (colour: Colour, text: string) => string

/** `styleText` adds no colours when standard output is no terminal, or NO_COLOR is set. */
export const paint: Paint = (colour, text) => styleText(colour, text)
export const plain: Paint = (_colour, text) => text

/** Columns below which a line of a span leaves out what is the same in all: milliseconds, `mesh.` and `trace`. */
const narrow = 100

/** One span as a line. One that is too wide for `columns` loses the end of its detail, not the digits of its trace. */
export function spanLine(
  { atMs, node, span, detail, trace, colour }: LabSpan,
  colours: Paint,
  columns?: number,
): string {
  const isNarrow = columns !== undefined && columns < narrow
  const head = `${clock(atMs, !isNarrow)} ${node.padEnd(13)} `
  const name = isNarrow ? span.replace(/^mesh\./, '').padEnd(20) : span.padEnd(26)
  const ids = trace === '' ? '' : ` ${isNarrow ? '' : 'trace '}${trace.slice(0, 8)}`
  const room = columns === undefined ? Number.POSITIVE_INFINITY : columns - head.length - name.length - 1 - ids.length
  return `${head}${colours(colour, `${name} ${cut(detail, room)}${ids}`)}`
}

/** Truncates text without colours to a width. */
export function cut(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`
}

const nodeColumns: readonly Column<NodeRecord>[] = [
  { head: 'node', of: ({ name }) => name },
  { head: 'role', of: ({ role }) => role },
  { head: 'mesh', of: ({ mesh }) => mesh },
  { head: 'state', of: ({ state }) => state },
  { head: 'members', of: ({ members }) => members },
  { head: 'links', of: ({ links }) => links },
  { head: 'retries', of: ({ retries }) => retries },
  { head: 'sweeps', of: ({ sweeps }) => sweeps },
  { head: 'pruned', of: ({ prunes }) => prunes },
  { head: 'RSS MiB', of: ({ rssMb }) => rssMb?.toFixed(0) ?? '-' },
  { head: 'CPU ms/s', of: ({ cpuMsPerS }) => cpuMsPerS?.toFixed(1) ?? '-' },
]

/** Left out of the table of a narrow terminal, in this order. */
const leastNeeded = ['sweeps', 'role', 'mesh', 'CPU ms/s', 'pruned', 'RSS MiB', 'retries']

/** The closing record as text, for a terminal of `columns`. */
export function recordLines(record: LabRecord, columns?: number): string[] {
  const { seconds, links, lost, problems, spans, seed, bootSeconds } = record
  const count = Object.values(spans).reduce((sum, one) => sum + one, 0)
  const spanCount = lost === null ? 'spans not counted' : `${count} spans received, ${lost} lost`
  const doubled =
    links.doubled.length === 0 ? 'none with more than one link' : `${links.doubled.length} with more than one link`
  const verdict = [
    `${seconds.toFixed(1)} s, seed ${seed}: ${links.pairs} pairs linked, ${doubled}; ${spanCount}`,
    ...problems.map((problem) => `problem: ${problem}`),
    ...(bootSeconds === null ? ['no verdict: the lab ended before all nodes knew each other'] : []),
  ]
  const nodes = fittingTable(nodeColumns, leastNeeded, record.perNode, columns)
  return [...nodes, ...verdict.flatMap((line) => hang('', line, columns))]
}

/** A column of a text table. */
export interface Column<T> {
  readonly head: string
  readonly of: (item: T) => string | number
}

/** A table without as many of the least needed columns as do not fit into `width`. */
export function fittingTable<T>(
  columns: readonly Column<T>[],
  leastNeeded: readonly string[],
  items: readonly T[],
  width = Number.POSITIVE_INFINITY,
): string[] {
  for (let left = 0; left < leastNeeded.length; left++) {
    const lines = table(without(columns, leastNeeded.slice(0, left)), items)
    if (lines.every((line) => line.length <= width)) return lines
  }
  return table(without(columns, leastNeeded), items).map((line) => cut(line, width))
}

function without<T>(columns: readonly Column<T>[], heads: readonly string[]): readonly Column<T>[] {
  return columns.filter(({ head }) => !heads.includes(head))
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
