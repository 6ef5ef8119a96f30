import type { ViewMessage } from '../page/mesh-view.ts'
import type { LogEntry } from './child.ts'
import { type LabSpan, labSpanOf } from './lab-span.ts'
import { labTopic } from './node-args.ts'

const limits = { spans: 200, messages: 200, problems: 50 }

/** Recent spans, messages and problems: bounded lists, newest last. */
export class RecentEvents {
  readonly #spans: LabSpan[] = []
  readonly #messages: ViewMessage[] = []
  readonly #problems: string[] = []

  get spans(): readonly LabSpan[] {
    return this.#spans
  }

  get messages(): readonly ViewMessage[] {
    return this.#messages
  }

  get problems(): readonly string[] {
    return this.#problems
  }

  addProblem(text: string): void {
    pushBounded(this.#problems, text, limits.problems)
  }

  /** Adds a line of a node's log; returns its span if it is worth a line. */
  addLogLine(node: string, entry: LogEntry): LabSpan | undefined {
    const span = labSpanOf(node, entry)
    if (span !== undefined) pushBounded(this.#spans, span, limits.spans)
    const text = messageOf(entry)
    if (text !== undefined)
      pushBounded(this.#messages, { atMs: Date.parse(String(entry['time'])), node, text }, limits.messages)
    return span
  }

  /** Adds a message that the lab published from a node. */
  addPublished(node: string, text: string, recipients: number): void {
    const to = `${recipients} ${recipients === 1 ? 'peer' : 'peers'}`
    pushBounded(this.#messages, { atMs: Date.now(), node, text: `published “${text}” to ${to}` }, limits.messages)
  }
}

/** The text for a message span. The lab's own messages are skipped: `addPublished` has their text. */
function messageOf(entry: LogEntry): string | undefined {
  const {
    msg,
    'mesh.message.topic': topic,
    'mesh.message.bytes': bytes,
    'mesh.message.lateness_ms': latenessMs,
  } = entry
  if (msg === 'mesh.message.published') return topic === labTopic ? undefined : `published ${bytes} bytes on ${topic}`
  if (msg !== 'mesh.message.received') return undefined
  return `received ${bytes} bytes on ${topic}${latenessMs === undefined ? '' : `, ${latenessMs} ms after publishing`}`
}

function pushBounded<T>(list: T[], item: T, limit: number): void {
  list.push(item)
  if (list.length > limit) list.shift()
}
