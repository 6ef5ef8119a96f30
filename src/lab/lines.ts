import { styleText } from 'node:util'
import { clock } from '../page/model/text.ts'
import type { Colour, LabSpan } from './node-log.ts'
import type { LabRecord, NodeRecord } from './record.ts'

/** Colours a text, or returns it unchanged. */
export type Paint = (colour: Colour, text: string) => string

/** `styleText` adds no colours when standard output is no terminal, or NO_COLOR is set. */
export const paint: Paint = (colour, text) => styleText(colour, text)
export const plain: Paint = (_colour, text) => text

/** One span as a line. */
export function spanLine({ atMs, node, span, detail, trace, colour }: LabSpan, colours: Paint): string {
  const ids = trace === '' ? '' : ` trace ${trace.slice(0, 8)}`
  return `${clock(atMs, true)} ${node.padEnd(13)} ${colours(colour, `${span.padEnd(26)} ${detail}${ids}`)}`
}

const columns: readonly Column<NodeRecord>[] = [
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

/** The closing record as text. */
export function recordLines(record: LabRecord): string[] {
  const { seconds, links, lost, problems, spans, seed, bootSeconds } = record
  const count = Object.values(spans).reduce((sum, one) => sum + one, 0)
  const spanCount = lost === null ? 'spans not counted' : `${count} spans received, ${lost} lost`
  const doubled =
    links.doubled.length === 0 ? 'none with more than one link' : `${links.doubled.length} with more than one link`
  return [
    ...table(columns, record.perNode),
    `${seconds.toFixed(1)} s, seed ${seed}: ${links.pairs} pairs linked, ${doubled}; ${spanCount}`,
    ...problems.map((problem) => `problem: ${problem}`),
    ...(bootSeconds === null ? ['no verdict: the lab ended before all nodes knew each other'] : []),
  ]
}

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
