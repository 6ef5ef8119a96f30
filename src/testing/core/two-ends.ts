import { ConnectionLedger } from '../../core/connection-ledger.ts'
import type { ConnectionInfo } from '../../core/events.ts'
import type { Frame } from '../../core/frames.ts'
import type { LedgerEffect } from '../../core/ledger-events.ts'
import type { Random } from '../../core/machine.ts'
import { Owner } from '../../core/owner.ts'
import { VirtualClock } from '../sim/virtual-clock.ts'

interface Pipe {
  readonly id: string
  readonly dialler: 'a' | 'b'
  open: boolean
  readonly queues: { readonly a: Frame[]; readonly b: Frame[] }
}

type End = 'a' | 'b'

/** Two ledgers and the connections between them; frames wait until a test delivers them, in any order of pipes. */
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

  /** Stops one end; or both, before either receives the other's goodbye. */
  stop(...ends: readonly End[]): void {
    const stops = ends.map((end) => ({
      end,
      effects: this.ledgers[end].handle({ type: 'stopping' }, this.clock.now()),
    }))
    for (const { end, effects } of stops) this.#applyEffects(end, effects.filter(isNotClose))
    if (ends.length > 1) this.#deliverAll()
    for (const { end, effects } of stops)
      this.#applyEffects(
        end,
        effects.filter((effect) => !isNotClose(effect)),
      )
  }

  /** Makes the next `opens` link streams fail with this event. */
  failOpens(type: 'stream.absent' | 'stream.closed', opens: number): void {
    this.#failing = { type, opens }
  }

  /** Passes one end a snapshot of the open connections. */
  observe(end: End): void {
    const connections = this.#pipes.filter((pipe) => pipe.open).map((pipe) => info(pipe, end))
    this.#applyEffects(end, this.ledgers[end].handle({ type: 'observed', connections }, this.clock.now()))
  }

  /** Delivers the oldest frame of one pipe to one end; false if no frame waits. */
  deliver(pipe: Pipe, to: End): boolean {
    const frame = pipe.open ? pipe.queues[to].shift() : undefined
    if (frame === undefined) return false
    const isObserved = this.ledgers[to].find(pipe.id) !== undefined
    if (!isObserved) this.observe(to)
    this.#applyEffects(to, this.ledgers[to].handle({ type: 'frame', connection: pipe.id, frame }, this.clock.now()))
    return true
  }

  queuedFrames(): { pipe: Pipe; to: End }[] {
    return this.#pipes.flatMap((pipe) =>
      (['a', 'b'] as const).filter((to) => pipe.open && pipe.queues[to].length > 0).map((to) => ({ pipe, to })),
    )
  }

  /** Delivers all frames and lets `ms` pass. */
  settle(ms: number): void {
    const until = this.clock.now() + ms
    while (this.clock.now() < until) {
      for (const end of ['a', 'b'] as const) {
        this.observe(end)
        this.#applyEffects(end, this.ledgers[end].handle({ type: 'tick' }, this.clock.now()))
      }
      this.#deliverAll()
      this.clock.advance(50)
    }
  }

  /** Ids of the open connections. */
  openConnections(): string[] {
    return this.#pipes.filter((pipe) => pipe.open).map(({ id }) => id)
  }

  #deliverAll(): void {
    for (let next = this.queuedFrames(); next.length > 0; next = this.queuedFrames()) {
      for (const { pipe, to } of next) this.deliver(pipe, to)
    }
  }

  #applyEffects(end: End, effects: readonly LedgerEffect[]): void {
    for (const effect of effects) {
      this.effects.push({ end, effect })
      if (effect.do === 'emit-span') this.spans.push({ end, effect })
      if (effect.do === 'open') this.#openStream(effect.connection)
      const pipe = 'connection' in effect ? this.#pipes.find(({ id }) => id === effect.connection) : undefined
      if (pipe === undefined) continue
      if (effect.do === 'send') pipe.queues[end === 'a' ? 'b' : 'a'].push(effect.frame)
      if (effect.do === 'close') this.#close(pipe, end, effect.abort)
    }
  }

  #openStream(id: string): void {
    const pipe = this.#pipes.find((one) => one.id === id)
    if (pipe === undefined) return
    const failing = this.#failing !== undefined && this.#failing.opens > 0 ? this.#failing : undefined
    if (failing !== undefined) this.#failing = { ...failing, opens: failing.opens - 1 }
    const type = failing?.type ?? 'stream.open'
    this.#applyEffects(pipe.dialler, this.ledgers[pipe.dialler].handle({ type, connection: id }, this.clock.now()))
  }

  /** A graceful close delivers pending frames first. */
  #close(pipe: Pipe, end: End, abort: boolean): void {
    const other = end === 'a' ? 'b' : 'a'
    if (!abort) while (this.deliver(pipe, other));
    pipe.open = false
  }
}

function isNotClose(effect: LedgerEffect): boolean {
  return effect.do !== 'close'
}

function info(pipe: Pipe, end: End): ConnectionInfo {
  const direction = pipe.dialler === end ? 'outbound' : 'inbound'
  const peer = end === 'a' ? 'b' : 'a'
  return { id: pipe.id, peer, direction, address: '/memory/x', transport: 'memory', gossip: 'none' }
}
