import type { BootStep, ViewMessage, ViewSpan } from '../page/mesh-view.ts'
import type { LogEntry } from '../processes/node-program.ts'
import type { LabNode } from './lab-node.ts'
import { labTopic, shareMesh } from './plan.ts'

// What the lab reads from the logs of its nodes: counters, recent spans and messages, the steps of the boot.

/** Counters of a node since the start of its current process. */
export interface Tally {
  members: number
  links: number
  retries: number
  /** Stale members that its sweeps found. */
  prunes: number
  expired: number
  sweeps: number
  /** Spans lost at exit, after the last span that could report them. */
  lost: number
}

export function newTally(): Tally {
  return { members: 0, links: 0, retries: 0, prunes: 0, expired: 0, sweeps: 0, lost: 0 }
}

/** Counts one line of a node's log. */
export function count(tally: Tally, entry: LogEntry): void {
  counters[String(entry['msg'])]?.(tally, entry)
}

const counters: Readonly<Record<string, (tally: Tally, entry: LogEntry) => void>> = {
  'mesh.member.joined': (tally) => tally.members++,
  'mesh.member.left': (tally) => tally.members--,
  'mesh.member.expired': (tally) => {
    tally.members--
    tally.expired++
  },
  'mesh.hello.received': (tally) => tally.links++,
  'mesh.connection.closed': (tally, entry) => {
    if (entry['mesh.connection.kind'] === 'member') tally.links--
  },
  'mesh.seed.retry': (tally) => tally.retries++,
  'mesh.staleness.pruned': (tally, entry) => {
    tally.sweeps++
    tally.prunes += Number(entry['mesh.pruned.count'] ?? 0)
  },
  'spans were lost at exit': (tally, entry) => {
    tally.lost += Number(entry['lost'] ?? 0)
  },
}

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

const limits = { spans: 200, messages: 200, problems: 50 }

/** Recent spans, messages and problems: bounded lists, newest last. */
export class RecentEvents {
  readonly #spans: LabSpan[] = []
  readonly #messages: ViewMessage[] = []
  readonly #problems: string[] = []
  readonly spans: readonly LabSpan[] = this.#spans
  readonly messages: readonly ViewMessage[] = this.#messages
  readonly problems: readonly string[] = this.#problems

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

/** The first occurrence of each start step, by node. */
export class Boot {
  readonly #startedAt: number
  readonly #steps: BootStep[] = []

  /** @param startedAt Monotonic milliseconds. */
  constructor(startedAt: number) {
    this.#startedAt = startedAt
  }

  get steps(): readonly BootStep[] {
    return this.#steps
  }

  /** Milliseconds from the start until all nodes without a late start knew their members; undefined before. */
  completeAtMs(nodes: readonly LabNode[]): number | undefined {
    const firstNodes = nodes.filter(({ plan }) => plan.startsAtMs === 0)
    const steps = firstNodes.map(({ name }) =>
      this.#steps.find(({ node, what }) => node === name && what === 'all members'),
    )
    const times = steps.flatMap((step) => step?.atMs ?? [])
    return times.length === firstNodes.length ? Math.max(...times) : undefined
  }

  onStart({ name }: LabNode): void {
    this.#addStep(name, 'started')
  }

  onLine(node: LabNode, { msg }: LogEntry, nodes: readonly LabNode[]): void {
    if (msg === 'listening') this.#addStep(node.name, 'listening')
    if (msg === 'mesh.hello.received') this.#addStep(node.name, 'first link')
    if (msg !== 'mesh.member.joined') return
    const others = nodes.filter((other) => other !== node && shareMesh(node.plan, other.plan) && isDue(other))
    if (node.tally.members >= others.length) this.#addStep(node.name, 'all members')
  }

  #addStep(node: string, what: string): void {
    if (this.#steps.some((step) => step.node === node && step.what === what)) return
    this.#steps.push({ node, what, atMs: Math.round(performance.now() - this.#startedAt) })
  }
}

/** Whether the node runs, or is about to start. */
function isDue({ state, plan }: LabNode): boolean {
  return state === 'starting' || state === 'running' || (state === 'waiting' && plan.startsAtMs === 0)
}
