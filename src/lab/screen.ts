import type { MeshView, ViewNode } from '../page/mesh-view.ts'
import { zoneName } from '../page/model/text.ts'
import { type Column, cut, fittingTable, type Paint, spanLine } from './lines.ts'
import type { Colour, LabSpan } from './node-log.ts'

export interface ScreenInput {
  readonly view: MeshView
  readonly spans: readonly LabSpan[]
  /** Name of the node that keys act on. */
  readonly selected: string
  readonly columns: number
  readonly rows: number
  /** Seconds since the lab's start. */
  readonly seconds: number
  readonly page: string | undefined
  /** Reply to the last key. */
  readonly notice: string
  readonly help: boolean
  readonly paint: Paint
}

export const keys = 'x kill  s stop  p pause  r start  f fresh  n new  o page  ? help  q quit'

const helpLines = [
  'up down j k   select a node; PgUp PgDn Home End go further',
  'x             kill it (SIGKILL)',
  's             stop it in order, with goodbyes',
  'p             pause it (SIGSTOP), or resume it',
  'r             restart it with the same identity',
  'f             restart it with a fresh identity',
  'n             add a compute node to the mesh of the selected node',
  'o             show the address of the page',
  'q  Ctrl-C     stop all nodes and quit',
  '?             back',
]

const stateColours: Readonly<Record<string, Colour>> = {
  running: 'green',
  starting: 'cyan',
  waiting: 'gray',
  paused: 'yellow',
  unreachable: 'yellow',
  stopped: 'gray',
  killed: 'red',
  failed: 'red',
}

const nodeColumns: readonly Column<ViewNode>[] = [
  { head: 'node', of: ({ name }) => name },
  { head: 'role', of: ({ role }) => role },
  { head: 'mesh', of: ({ meshes }) => meshes.map((mesh) => mesh.replace('mesh-', '')).join(' ') },
  { head: 'state', of: ({ state }) => state },
  { head: 'members', of: ({ counts }) => counts.members ?? '-' },
  { head: 'links', of: ({ counts }) => counts.links ?? '-' },
  { head: 'retries', of: ({ counts }) => counts.retries ?? 0 },
  { head: 'pruned', of: ({ counts }) => counts.prunes ?? 0 },
  { head: 'RSS MiB', of: ({ rssMb }) => rssMb?.toFixed(0) ?? '-' },
  { head: 'CPU ms/s', of: ({ cpuMsPerS }) => cpuMsPerS?.toFixed(1) ?? '-' },
]

/** Left out of the table of a narrow screen, in this order. */
const leastNeeded = ['pruned', 'CPU ms/s', 'role', 'retries', 'RSS MiB', 'mesh']

/** Rows outside the table and the spans: title, summary, head of the table, rule, keys. */
const frameRows = 5
/** Minimum rows for spans. */
const spanRows = 5

/** Renders the lab for a screen of this size: one line per row, none wider than the screen. */
export function screen(input: ScreenInput): string[] {
  const { view, rows, columns, paint, help, notice } = input
  const body = help ? helpLines.map((line) => cut(line, columns)) : [...nodeLines(input), ...spanLines(input)]
  const lines = [...headLines(input), ...body].slice(0, rows - 1)
  while (lines.length < rows - 1) lines.push('')
  const footer = cut(notice === '' ? keys : notice, columns)
  return [...lines, paint(notice === '' ? 'gray' : 'yellow', view.nodes.length === 0 ? '' : footer)].slice(-rows)
}

function headLines({ view, seconds, page, columns }: ScreenInput): string[] {
  const running = view.nodes.filter(({ state }) => state === 'running').length
  const complete = view.boot.filter(({ what }) => what === 'all members').length
  const elapsed = `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`
  const summary = `${running} running, ${complete} know all members${page === undefined ? '' : `   page ${page}`}`
  return [cut(`tracemesh ${view.title}   ${elapsed}   times in ${zoneName()}`, columns), cut(summary, columns)]
}

function nodeLines({ view, spans, selected, rows, columns, paint }: ScreenInput): string[] {
  const nodes = controllableNodes(view)
  const room = nodeRoom({ view, rows })
  const at = Math.max(
    0,
    nodes.findIndex(({ name }) => name === selected),
  )
  const from = Math.max(0, Math.min(at - Math.floor(room / 2), nodes.length - room))
  const [head = '', ...all] = fittingTable(nodeColumns, leastNeeded, nodes, columns - 2)
  const lines = all.slice(from, from + room).map((line, index) => {
    const node = nodes[from + index]
    const marked = cut(`${node?.name === selected ? '>' : ' '} ${line}`, columns)
    return paint(stateColours[node?.state ?? ''] ?? 'gray', marked)
  })
  const nodesShown = nodes.length > room ? ` nodes ${from + 1} to ${from + room} of ${nodes.length} ` : ''
  const spansRoom = spanRoom({ view, rows })
  const spansShown = spans.length > spansRoom ? ` last ${spansRoom} of ${spans.length} kept spans ` : ''
  const rule = '─'.repeat(Math.max(0, Math.min(columns, 100) - nodesShown.length - spansShown.length))
  const counts = `${rule.slice(0, 2)}${nodesShown}${rule.slice(2, 4)}${spansShown}${rule.slice(4)}`
  return [cut(`  ${head}`, columns), ...lines, cut(counts, columns)]
}

function controllableNodes({ nodes }: Pick<MeshView, 'nodes'>): readonly ViewNode[] {
  return nodes.filter(({ controllable }) => controllable)
}

/** Rows of the table for nodes. */
export function nodeRoom({ view, rows }: Pick<ScreenInput, 'view' | 'rows'>): number {
  return Math.max(1, Math.min(controllableNodes(view).length, rows - frameRows - spanRows))
}

function spanRoom({ view, rows }: Pick<ScreenInput, 'view' | 'rows'>): number {
  return Math.max(0, rows - frameRows - nodeRoom({ view, rows }))
}

function spanLines({ spans, columns, paint, ...rest }: ScreenInput): string[] {
  const room = spanRoom(rest)
  const last = room === 0 ? [] : spans.slice(-room)
  return last.map((span) =>
    paint(
      span.colour,
      cut(
        spanLine(span, (_colour, text) => text, columns),
        columns,
      ),
    ),
  )
}
