import { type ChildProcess, fork } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { join } from 'node:path'
import { processSettings } from '../launcher.js'
import { type CrossingOrder, type CrossingReport, monotonic, type PeerSight } from './crossing-node.ts'

/** What one round of dialling all at once has shown. Durations are milliseconds. */
export interface Round {
  /** For each pair: from the instant of the dials to one link, the same on both ends; undefined when it did not come. */
  readonly settledMs: readonly (number | undefined)[]
  /** Pairs that had two connections or more at some time. */
  readonly crossed: number
  readonly failedDials: readonly string[]
  /** Requests answered rightly, of one from each node to each other, and what the rest failed with. */
  readonly answered: number
  readonly requestErrors: readonly string[]
  /** From the publish to each delivery, of one message from each node to each other. */
  readonly heardMs: readonly number[]
  /** Deliveries beyond the first. */
  readonly duplicates: number
  /** Pairs whose link at the round’s end was not the one they had settled on. */
  readonly changed: number
}

interface Member {
  readonly child: ChildProcess
  readonly peer: string
  readonly address: string
  /** What it last said of each peer, and since when it says that. */
  readonly sights: Map<string, { readonly text: string; readonly sight: PeerSight; readonly at: number }>
  told: Readonly<Record<string, number>>
}

/** A link that is not the same on both ends after this is given up on; a message, and a parting, likewise. */
const settleLimitMs = 6_000
const speakLimitMs = 10_000
const partLimitMs = 6_000
const startLimitMs = 30_000
/** Ahead of the dials, so that every process has its order in time. */
const leadMs = 40

/** Some nodes in processes of their own that dial each other all at the same instant, round after round. */
export class CrossingMesh implements AsyncDisposable {
  readonly #members: readonly Member[]
  readonly #reports = new EventEmitter<{ report: [Member, CrossingReport] }>()
  readonly #signal: AbortSignal

  private constructor(members: readonly Member[], signal: AbortSignal) {
    this.#members = members
    this.#signal = signal
    this.#reports.setMaxListeners(0)
    for (const member of members) {
      member.child.on('message', (report: CrossingReport) => this.#hear(member, report))
      member.child.on('exit', () => this.#reports.emit('report', member, { is: 'dialled', failed: ['it has ended'] }))
    }
  }

  /** Rejects when one does not start, with none left running. */
  static async start(count: number, signal: AbortSignal): Promise<CrossingMesh> {
    const starts = await Promise.allSettled(Array.from({ length: count }, () => startMember(signal)))
    const mesh = new CrossingMesh(
      starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : [])),
      signal,
    )
    const failed = starts.find((start) => start.status === 'rejected')
    if (failed === undefined) return mesh
    await mesh[Symbol.asyncDispose]()
    throw new Error(`a node did not start within ${startLimitMs} ms`, { cause: failed.reason })
  }

  /** Spans told so far by all nodes together, by name. */
  get told(): Readonly<Record<string, number>> {
    const sum: Record<string, number> = {}
    for (const { told } of this.#members)
      for (const [name, count] of Object.entries(told)) sum[name] = (sum[name] ?? 0) + count
    return sum
  }

  async round(number: number): Promise<Round> {
    const talk = this.#listen(number)
    const at = monotonic() + leadMs
    for (const member of this.#members)
      order(member, { do: 'dial', at, addresses: this.#others(member).map((other) => other.address) })
    await this.#when(() => talk.dialled === this.#members.length && this.#pairs.every(agreed), settleLimitMs)
    const links = this.#pairs.map(agreed)
    const settledMs = this.#pairs.map((pair) => (agreed(pair) === undefined ? undefined : agreedAt(pair) - at))
    for (const member of this.#members)
      order(member, { do: 'speak', round: number, peers: this.#others(member).map((other) => other.peer) })
    const due = this.#members.length * (this.#members.length - 1)
    await this.#when(() => talk.asked === due && talk.heard.size === due, speakLimitMs)
    const changed = this.#pairs.filter((pair, index) => agreed(pair) !== links[index]).length
    talk.end()
    await this.#part()
    const heardMs = [...talk.heard].map(
      ([key, heardAt]) => heardAt - (talk.published.get(key.split(' ')[0] ?? '') ?? 0),
    )
    return {
      settledMs,
      crossed: talk.crossed.size,
      failedDials: talk.failedDials,
      answered: talk.asked - talk.errors.length,
      requestErrors: talk.errors,
      heardMs,
      duplicates: talk.duplicates,
      changed,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#members.map(async ({ child }) => {
        if (child.exitCode !== null || child.signalCode !== null) return
        const exited = once(child, 'exit')
        const timer = setTimeout(() => child.kill('SIGKILL'), 4_000)
        if (child.connected) child.send({ do: 'stop' } satisfies CrossingOrder)
        await exited
        clearTimeout(timer)
      }),
    )
  }

  get #pairs(): (readonly [Member, Member])[] {
    return this.#members.flatMap((one, index) => this.#members.slice(index + 1).map((other) => [one, other] as const))
  }

  #others(member: Member): Member[] {
    return this.#members.filter((other) => other !== member)
  }

  /** Collects what is said in this round. */
  #listen(number: number) {
    const talk = {
      dialled: 0,
      asked: 0,
      duplicates: 0,
      failedDials: [] as string[],
      errors: [] as string[],
      crossed: new Set<string>(),
      published: new Map<string, number>(),
      /** By `from to`. */
      heard: new Map<string, number>(),
      end: () => {
        this.#reports.off('report', listen)
      },
    }
    const listen = (member: Member, report: CrossingReport) => {
      if (report.is === 'dialled') {
        talk.dialled++
        talk.failedDials.push(...report.failed)
      }
      if (report.is === 'state') {
        for (const [peer, { connections }] of Object.entries(report.peers))
          if (connections > 1) talk.crossed.add([member.peer, peer].sort().join(' '))
      }
      if (!('round' in report) || report.round !== number) return
      if (report.is === 'publishing') talk.published.set(member.peer, report.at)
      if (report.is === 'answered') {
        talk.asked++
        if (report.error !== '') talk.errors.push(report.error)
      }
      if (report.is !== 'heard') return
      const key = `${report.from} ${member.peer}`
      if (talk.heard.has(key)) talk.duplicates++
      else talk.heard.set(key, report.at)
    }
    this.#reports.on('report', listen)
    return talk
  }

  /** For each pair one of the two closes; then nobody has anybody. */
  async #part(): Promise<void> {
    for (const [one, other] of this.#pairs) order(one, { do: 'part', peers: [other.peer] })
    const apart = () => this.#members.every(({ sights }) => sights.size === 0)
    if (await this.#when(apart, partLimitMs)) return
    const left = this.#members.flatMap(({ peer, sights }) =>
      [...sights].map(([to, { text }]) => `${peer} ${to} ${text}`),
    )
    throw new Error(`not parted within ${partLimitMs} ms: ${left.join('; ')}`)
  }

  #hear(member: Member, report: CrossingReport): void {
    if (report.is === 'state') {
      member.told = report.told
      for (const peer of [...member.sights.keys()]) if (report.peers[peer] === undefined) member.sights.delete(peer)
      for (const [peer, sight] of Object.entries(report.peers)) {
        const text = JSON.stringify(sight)
        if (member.sights.get(peer)?.text !== text) member.sights.set(peer, { text, sight, at: report.at })
      }
    }
    this.#reports.emit('report', member, report)
  }

  /** Whether it came to hold within the limit. Throws when the proof was called off, or a node has gone. */
  async #when(holds: () => boolean, limitMs: number): Promise<boolean> {
    const limit = AbortSignal.timeout(limitMs)
    while (!holds()) {
      this.#signal.throwIfAborted()
      const gone = this.#members.find(({ child }) => child.exitCode !== null || child.signalCode !== null)
      if (gone !== undefined) throw new Error(`${gone.peer} ended with ${gone.child.exitCode ?? gone.child.signalCode}`)
      if (limit.aborted) return false
      await once(this.#reports, 'report', { signal: AbortSignal.any([limit, this.#signal]) }).catch(() => {})
    }
    return true
  }
}

function order({ child }: Pick<Member, 'child'>, what: CrossingOrder): void {
  child.send(what)
}

/** The one link of both ends, when both have exactly one connection and it is settled. */
function agreed([one, other]: readonly [Member, Member]): string | undefined {
  const [here, there] = [one.sights.get(other.peer)?.sight, other.sights.get(one.peer)?.sight]
  if (here?.connections !== 1 || there?.connections !== 1 || here.links.length !== 1 || there.links.length !== 1) return
  return here.links[0] === there.links[0] && here.links[0]?.endsWith(' settled') ? here.links[0] : undefined
}

function agreedAt([one, other]: readonly [Member, Member]): number {
  return Math.max(one.sights.get(other.peer)?.at ?? 0, other.sights.get(one.peer)?.at ?? 0)
}

async function startMember(signal: AbortSignal): Promise<Member> {
  const types = process.execArgv.filter((flag) => flag === '--experimental-strip-types')
  const child = fork(join(import.meta.dirname, 'crossing-node.ts'), [], {
    execArgv: [...types, processSettings.flag, '--disable-warning=ExperimentalWarning'],
    env: { ...process.env, ...processSettings.env },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const limit = AbortSignal.any([signal, AbortSignal.timeout(startLimitMs)])
  try {
    const [ready] = (await once(child, 'message', { signal: limit })) as [CrossingReport]
    if (ready.is !== 'ready') throw new Error(`a node began with ${ready.is}`)
    return { child, peer: ready.peer, address: ready.address, sights: new Map(), told: {} }
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
}
