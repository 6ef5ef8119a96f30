import { styleText } from 'node:util'
import type { Colour, LabSpan } from './lab-span.ts'
import type { LabRecord, NodeRecord } from './record.ts'
import { type Column, table } from './table.ts'

/** Colours a text, or returns it unchanged. */
export type Paint = (colour: Colour, text: string) => string

/** `styleText` adds no colours when standard output is no terminal, or NO_COLOR is set. */
export const paint: Paint = (colour, text) => styleText(colour, text)
export const plain: Paint = (_colour, text) => text

/** One span as a line. */
export function spanLine({ atMs, node, span, detail, trace, colour }: LabSpan, colours: Paint): string {
  const ids = trace === '' ? '' : ` trace ${trace.slice(0, 8)}`
  return `${new Date(atMs).toISOString().slice(11, 23)} ${node.padEnd(13)} ${colours(colour, `${span.padEnd(26)} ${detail}${ids}`)}`
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
  const { seconds, links, lost, problems, spans, seed } = record
  const count = Object.values(spans).reduce((sum, one) => sum + one, 0)
  const spanCount = lost === null ? 'spans not counted' : `${count} spans received, ${lost} lost`
  const doubled =
    links.doubled.length === 0 ? 'none with more than one link' : `${links.doubled.length} with more than one link`
  return [
    ...table(columns, record.perNode),
    `${seconds.toFixed(1)} s, seed ${seed}: ${links.pairs} pairs linked, ${doubled}; ${spanCount}`,
    ...problems.map((problem) => `problem: ${problem}`),
  ]
}
