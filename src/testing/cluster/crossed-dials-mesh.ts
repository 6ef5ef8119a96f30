import { EventEmitter, once } from 'node:events'
import { join } from 'node:path'
import { nodeCommand, nodeEnvironment } from '../../processes/node-program.ts'
import { Subprocess } from '../../processes/subprocess.ts'
import { monotonic, type NodeCommand, type NodeReport, type PeerConnections } from './crossed-dials-node.ts'

/** The result of one round, in which all nodes dial each other at once. Durations are milliseconds. */
export interface Round {
  /** For each pair: from the instant of the dials to one link, the same on both ends; undefined if it never came. */
  readonly settledMs: readonly (number | undefined)[]
  /** Pairs that had two or more connections at some time. */
  readonly crossed: number
  readonly failedDials: readonly string[]
  /** Correct answers to one request from each node to each other, and the errors of the rest. */
  readonly answered: number
  readonly requestErrors: readonly string[]
  /** From publish to each delivery, of one message from each node to each other. */
  readonly deliveryMs: readonly number[]
  /** Deliveries beyond the first. */
  readonly duplicates: number
  /** Pairs whose link at the end of the round differs from the one they first agreed on. */
  readonly changed: number
}

interface Member {
  readonly child: Subprocess
  readonly peer: string
  readonly address: string
  /** Its latest report of each peer, and since when that report is unchanged. */
  readonly views: Map<string, { readonly text: string; readonly view: PeerConnections; readonly at: number }>
  spanCounts: Readonly<Record<string, number>>
}

/** Limits for one link on both ends, for the delivery of all messages, and for closing all connections. */
const settleLimitMs = 6_000
const deliveryLimitMs = 10_000
const disconnectLimitMs = 6_000
const startLimitMs = 30_000
const stopLimitMs = 4_000
/** Lead time before the dials, so that every process has its command in time. */
const leadMs = 40

/** Nodes in separate processes that all dial each other at the same instant, round after round. */
export class CrossedDialsMesh implements AsyncDisposable {
  #members: readonly Member[] = []
  readonly #reports = new EventEmitter<{ report: [Member, NodeReport] }>()
  readonly #signal: AbortSignal

  private constructor(signal: AbortSignal) {
    this.#signal = signal
    this.#reports.setMaxListeners(0)
  }

  /** Rejects when a node does not start, and then leaves no process running. */
  static async start(count: number, signal: AbortSignal): Promise<CrossedDialsMesh> {
    const mesh = new CrossedDialsMesh(signal)
    const starts = await Promise.allSettled(Array.from({ length: count }, () => mesh.#startMember()))
    mesh.#members = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []))
    const failed = starts.find((start) => start.status === 'rejected')
    if (failed === undefined) return mesh
    await mesh[Symbol.asyncDispose]()
    throw failed.reason
  }

  /** Spans that all nodes together have emitted so far, by name. */
  get spanCounts(): Readonly<Record<string, number>> {
    const sum: Record<string, number> = {}
    for (const { spanCounts } of this.#members)
      for (const [name, count] of Object.entries(spanCounts)) sum[name] = (sum[name] ?? 0) + count
    return sum
  }

  async round(number: number): Promise<Round> {
    const record = this.#collectReports(number)
    const at = monotonic() + leadMs
    for (const member of this.#members)
      sendCommand(member, { do: 'dial', at, addresses: this.#others(member).map((other) => other.address) })
    await this.#waitFor(() => record.dialled === this.#members.length && this.#pairs.every(agreedLink), settleLimitMs)
    const links = this.#pairs.map(agreedLink)
    const settledMs = this.#pairs.map((pair) => (agreedLink(pair) === undefined ? undefined : agreedAt(pair) - at))
    for (const member of this.#members)
      sendCommand(member, { do: 'send', round: number, peers: this.#others(member).map((other) => other.peer) })
    const due = this.#members.length * (this.#members.length - 1)
    await this.#waitFor(() => record.answers === due && record.deliveredAt.size === due, deliveryLimitMs)
    const changed = this.#pairs.filter((pair, index) => agreedLink(pair) !== links[index]).length
    record.end()
    await this.#disconnectAll()
    const deliveryMs = [...record.deliveredAt].map(
      ([key, at]) => at - (record.published.get(key.split(' ')[0] ?? '') ?? 0),
    )
    return {
      settledMs,
      crossed: record.crossed.size,
      failedDials: record.failedDials,
      answered: record.answers - record.errors.length,
      requestErrors: record.errors,
      deliveryMs,
      duplicates: record.duplicates,
      changed,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#members.map((member) => {
        sendCommand(member, { do: 'stop' })
        return member.child.exitWithin(stopLimitMs)
      }),
    )
  }

  get #pairs(): (readonly [Member, Member])[] {
    return this.#members.flatMap((one, index) => this.#members.slice(index + 1).map((other) => [one, other] as const))
  }

  #others(member: Member): Member[] {
    return this.#members.filter((other) => other !== member)
  }

  /** Collects the reports of this round. */
  #collectReports(number: number) {
    const record = {
      dialled: 0,
      answers: 0,
      duplicates: 0,
      failedDials: [] as string[],
      errors: [] as string[],
      crossed: new Set<string>(),
      published: new Map<string, number>(),
      /** By `from to`. */
      deliveredAt: new Map<string, number>(),
      end: () => {
        this.#reports.off('report', listen)
      },
    }
    const listen = (member: Member, report: NodeReport) => {
      if (report.is === 'dialled') {
        record.dialled++
        record.failedDials.push(...report.failed)
      }
      if (report.is === 'state') {
        for (const [peer, { connections }] of Object.entries(report.peers))
          if (connections > 1) record.crossed.add([member.peer, peer].sort().join(' '))
      }
      if (!('round' in report) || report.round !== number) return
      if (report.is === 'publishing') record.published.set(member.peer, report.at)
      if (report.is === 'answered') {
        record.answers++
        if (report.error !== '') record.errors.push(report.error)
      }
      if (report.is !== 'delivered') return
      const key = `${report.from} ${member.peer}`
      if (record.deliveredAt.has(key)) record.duplicates++
      else record.deliveredAt.set(key, report.at)
    }
    this.#reports.on('report', listen)
    return record
  }

  /** One node of each pair closes their connection, so that no connection remains. */
  async #disconnectAll(): Promise<void> {
    for (const [one, other] of this.#pairs) sendCommand(one, { do: 'disconnect', peers: [other.peer] })
    const areDisconnected = () => this.#members.every(({ views }) => views.size === 0)
    if (await this.#waitFor(areDisconnected, disconnectLimitMs)) return
    const connected = this.#members.flatMap(({ peer, views }) =>
      [...views].map(([to, { text }]) => `${peer} ${to} ${text}`),
    )
    throw new Error(`connections still open after ${disconnectLimitMs} ms: ${connected.join('; ')}`)
  }

  async #startMember(): Promise<Member> {
    const ready = Promise.withResolvers<Member>()
    let member: Member | undefined
    const child = new Subprocess({
      name: 'a node',
      command: nodeCommand(join(import.meta.dirname, 'crossed-dials-node.ts')),
      env: nodeEnvironment(),
      ipc: true,
      onMessage: (message) => {
        const report = message as NodeReport
        if (member !== undefined) this.#handleReport(member, report)
        else if (report.is === 'ready') {
          const { peer, address } = report
          member = { child, peer, address, views: new Map(), spanCounts: {} }
          ready.resolve(member)
        }
      },
      onExit: () => {
        if (member !== undefined) this.#handleReport(member, { is: 'dialled', failed: ['its process has ended'] })
      },
    })
    return child.ready(ready.promise, startLimitMs, this.#signal)
  }

  #handleReport(member: Member, report: NodeReport): void {
    if (report.is === 'state') {
      member.spanCounts = report.spanCounts
      for (const peer of [...member.views.keys()]) if (report.peers[peer] === undefined) member.views.delete(peer)
      for (const [peer, view] of Object.entries(report.peers)) {
        const text = JSON.stringify(view)
        if (member.views.get(peer)?.text !== text) member.views.set(peer, { text, view, at: report.at })
      }
    }
    this.#reports.emit('report', member, report)
  }

  /** Whether `holds` became true within the limit. Throws when the proof was aborted or a node has ended. */
  async #waitFor(holds: () => boolean, limitMs: number): Promise<boolean> {
    const limit = AbortSignal.timeout(limitMs)
    while (!holds()) {
      this.#signal.throwIfAborted()
      for (const { child } of this.#members) child.ended.throwIfAborted()
      if (limit.aborted) return false
      await once(this.#reports, 'report', { signal: AbortSignal.any([limit, this.#signal]) }).catch(() => {})
    }
    return true
  }
}

function sendCommand({ child }: Pick<Member, 'child'>, command: NodeCommand): void {
  child.send(command)
}

/** The link that both ends name, if each has exactly one connection and the link is settled. */
function agreedLink([one, other]: readonly [Member, Member]): string | undefined {
  const [here, there] = [one.views.get(other.peer)?.view, other.views.get(one.peer)?.view]
  if (here?.connections !== 1 || there?.connections !== 1 || here.links.length !== 1 || there.links.length !== 1) return
  return here.links[0] === there.links[0] && here.links[0]?.endsWith(' settled') ? here.links[0] : undefined
}

function agreedAt([one, other]: readonly [Member, Member]): number {
  return Math.max(one.views.get(other.peer)?.at ?? 0, other.views.get(one.peer)?.at ?? 0)
}
