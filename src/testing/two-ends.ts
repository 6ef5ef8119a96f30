import { ConnectionLedger, type LedgerEffect } from '../core/connection-ledger.ts'
import type { ConnectionInfo } from '../core/events.ts'
import type { Frame } from '../core/frames.ts'
import type { Random } from '../core/machine.ts'
import { Owner } from '../core/owner.ts'
import { VirtualClock } from './virtual-clock.ts'

interface Pipe {
  readonly id: string
  readonly dialler: 'a' | 'b'
  open: boolean
  readonly queues: { readonly a: Frame[]; readonly b: Frame[] }
}

type End = 'a' | 'b'

/** Two ledgers and the connections between them; what is sent waits until it is let through, in any order of pipes. */
export class TwoEnds {
  readonly clock = new VirtualClock()
  readonly ledgers: { readonly a: ConnectionLedger; readonly b: ConnectionLedger }
  readonly spans: { readonly end: End; readonly effect: Extract<LedgerEffect, { do: 'emit-span' }> }[] = []
  readonly effects: { readonly end: End; readonly effect: LedgerEffect }[] = []
  readonly #pipes: Pipe[] = []
  #ids = 0
  #failing: { readonly type: 'stream.absent' | 'stream.closed'; readonly opens: number } | undefined

  constructor(random: Random, meshes: { readonly a: string; readonly b: string } = { a: 'm', b: 'm' }) {
    const ledger = (end: End, incarnation = 1) =>
      new ConnectionLedger(new Owner(end, this.clock), {
        self: end,
        hello: { meshes: [meshes[end]], name: `node-${end}`, role: 'compute', incarnation, build: 'test' },
        random,
      })
    this.ledgers = { a: ledger('a'), b: ledger('b') }
  }

  dial(dialler: End): Pipe {
    const pipe: Pipe = { id: `c${++this.#ids}`, dialler, open: true, queues: { a: [], b: [] } }
    this.#pipes.push(pipe)
    return pipe
  }

  /** One end says goodbye; or both, before either has heard it. */
  stop(...ends: readonly End[]): void {
    const said = ends.map((end) => ({ end, effects: this.ledgers[end].handle({ type: 'stopping' }, this.clock.now()) }))
    for (const { end, effects } of said) this.#take(end, effects.filter(isNoClose))
    if (ends.length > 1) this.#deliverAll()
    for (const { end, effects } of said)
      this.#take(
        end,
        effects.filter((effect) => !isNoClose(effect)),
      )
  }

  /** The next `opens` link streams do not come to be. */
  failOpens(type: 'stream.absent' | 'stream.closed', opens: number): void {
    this.#failing = { type, opens }
  }

  /** A snapshot, as one end would take it now. */
  observe(end: End): void {
    const connections = this.#pipes.filter((pipe) => pipe.open).map((pipe) => info(pipe, end))
    this.#take(end, this.ledgers[end].handle({ type: 'observed', connections }, this.clock.now()))
  }

  /** Lets the oldest frame of one pipe through to one end; false when there is none. */
  deliver(pipe: Pipe, to: End): boolean {
    const frame = pipe.open ? pipe.queues[to].shift() : undefined
    if (frame === undefined) return false
    const known = this.ledgers[to].peerOf(pipe.id) !== undefined
    if (!known) this.observe(to)
    this.#take(to, this.ledgers[to].handle({ type: 'frame', connection: pipe.id, frame }, this.clock.now()))
    return true
  }

  waiting(): { pipe: Pipe; to: End }[] {
    return this.#pipes.flatMap((pipe) =>
      (['a', 'b'] as const).filter((to) => pipe.open && pipe.queues[to].length > 0).map((to) => ({ pipe, to })),
    )
  }

  /** Everything through, and time passes, until `ms` later. */
  settle(ms: number): void {
    const until = this.clock.now() + ms
    while (this.clock.now() < until) {
      for (const end of ['a', 'b'] as const) {
        this.observe(end)
        this.#take(end, this.ledgers[end].handle({ type: 'tick' }, this.clock.now()))
      }
      this.#deliverAll()
      this.clock.advance(50)
    }
  }

  /** Connections that are open, by id. */
  standing(): string[] {
    return this.#pipes.filter((pipe) => pipe.open).map(({ id }) => id)
  }

  #deliverAll(): void {
    for (let next = this.waiting(); next.length > 0; next = this.waiting()) {
      for (const { pipe, to } of next) this.deliver(pipe, to)
    }
  }

  #take(end: End, effects: readonly LedgerEffect[]): void {
    for (const effect of effects) {
      this.effects.push({ end, effect })
      if (effect.do === 'emit-span') this.spans.push({ end, effect })
      if (effect.do === 'open') this.#opened(effect.connection)
      const pipe = 'connection' in effect ? this.#pipes.find(({ id }) => id === effect.connection) : undefined
      if (pipe === undefined) continue
      if (effect.do === 'send') pipe.queues[end === 'a' ? 'b' : 'a'].push(effect.frame)
      if (effect.do === 'close') this.#close(pipe, end, effect.abort)
    }
  }

  #opened(id: string): void {
    const pipe = this.#pipes.find((one) => one.id === id)
    if (pipe === undefined) return
    const failing = this.#failing !== undefined && this.#failing.opens > 0 ? this.#failing : undefined
    if (failing !== undefined) this.#failing = { ...failing, opens: failing.opens - 1 }
    const type = failing?.type ?? 'stream.open'
    this.#take(pipe.dialler, this.ledgers[pipe.dialler].handle({ type, connection: id }, this.clock.now()))
  }

  /** A polite close lets what was sent arrive first. */
  #close(pipe: Pipe, end: End, abort: boolean): void {
    const other = end === 'a' ? 'b' : 'a'
    if (!abort) while (this.deliver(pipe, other));
    pipe.open = false
  }
}

function isNoClose(effect: LedgerEffect): boolean {
  return effect.do !== 'close'
}

function info(pipe: Pipe, end: End): ConnectionInfo {
  const direction = pipe.dialler === end ? 'outbound' : 'inbound'
  const peer = end === 'a' ? 'b' : 'a'
  return { id: pipe.id, peer, direction, address: '/memory/x', transport: 'memory', gossip: 'none' }
}
