import type { ViewSpan } from '../page/mesh-view.ts'
import type { LogEntry } from './child.ts'

/** A span or a warning of a node; `span` is its name, or the message of the log line. */
export type LabSpan = Required<ViewSpan>
export type Colour = LabSpan['colour']

/** Spans that are worth a line: events, not the routine of every few seconds. */
const spanColours: Readonly<Record<string, Colour>> = {
  'mesh.node.started': 'gray',
  'mesh.seed.dial': 'gray',
  'mesh.seed.retry': 'yellow',
  'mesh.seed.connected': 'green',
  'mesh.seed.giveup': 'red',
  'mesh.seed.rearmed': 'yellow',
  'mesh.hello.received': 'cyan',
  'mesh.connection.superseded': 'yellow',
  'mesh.member.joined': 'green',
  'mesh.member.left': 'yellow',
  'mesh.member.expired': 'red',
  'mesh.connection.closed': 'gray',
  'mesh.node.stopped': 'gray',
}

const shownAttributes = [
  'mesh.peer.name',
  'mesh.seed.address',
  'mesh.seed.attempt',
  'mesh.seed.delay_ms',
  'mesh.dial.stage',
  'mesh.close.reason',
  'mesh.member.silence_ms',
  'mesh.link.rule',
] as const

/** Undefined for a log line that is not worth a line. */
export function labSpanOf(node: string, entry: LogEntry): LabSpan | undefined {
  const span = String(entry['msg'])
  const colour = spanColours[span] ?? levelColours[String(entry['level'])]
  if (colour === undefined) return undefined
  const detail = shownAttributes
    .filter((key) => entry[key] !== undefined && entry[key] !== '')
    .map((key) => `${key.replace(/^mesh\.(\w+\.)?/, '')}=${String(entry[key])}`)
  const { message = '' } = (entry['err'] ?? {}) as { message?: string }
  return {
    atMs: Date.parse(String(entry['time'])) || Date.now(),
    node,
    span,
    detail: [...detail, ...(message === '' ? [] : [message])].join(' '),
    trace: String(entry['trace_id'] ?? ''),
    colour,
  }
}

const levelColours: Readonly<Record<string, Colour>> = { warn: 'yellow', error: 'red', fatal: 'red' }
