import type { SpanEffect } from '../catalogue/span-effect.ts'
import type { Network, NetworkEffect, NodeEffect, NodeEvent } from './events.ts'
import { limits } from './limits.ts'
import type { Clock } from './machine.ts'
import type { MeshNode } from './mesh-node.ts'
import type { Owner } from './owner.ts'
import type { TraceRef } from './trace.ts'

export interface DriverOptions {
  readonly node: MeshNode
  readonly network: Network
  readonly clock: Clock
  readonly owner: Owner
  readonly emitSpan: (span: SpanEffect, window: TraceRef | undefined) => void
  /** Count what is held and tell it. */
  readonly census: (window: TraceRef | undefined) => void
}

/** A deadline in the past or in this millisecond still lets other work run in between. */
const minDelayMs = 1

/**
 * Runs a node over a network: one event at a time to its end, effects carried out in order, one timer. A machine is
 * never re-entered: what an effect brings about at once waits in the inbox.
 */
export class Driver {
  readonly #options: DriverOptions
  readonly #inbox: NodeEvent[] = []
  #isRunning = false
  #timerAt = Infinity
  #cancelTimer = () => {}
  #isHintQueued = false
  #hasOverflowed = false

  constructor(options: DriverOptions) {
    this.#options = options
  }

  /** `settings`: process settings that are not as recommended, for the span of the start. */
  async start(settings: readonly string[]): Promise<void> {
    this.#options.owner.adopt('driver timer', () => this.#cancelTimer())
    await this.#options.network.start((event) => this.deliver(event))
    this.deliver({ type: 'started', settings })
  }

  deliver(event: NodeEvent): void {
    if (event.type === 'changed' && this.#isHintQueued) return
    if (this.#inbox.length >= limits.inbox) {
      this.#hasOverflowed = true
      return
    }
    this.#isHintQueued ||= event.type === 'changed'
    this.#inbox.push(event)
    if (!this.#isRunning) this.#run()
  }

  #run(): void {
    const { node, clock } = this.#options
    this.#isRunning = true
    try {
      for (let event = this.#nextEvent(); event !== undefined; event = this.#nextEvent()) {
        if (event.type === 'changed') this.#isHintQueued = false
        for (const effect of node.handle(event, clock.now())) this.#perform(effect)
      }
    } finally {
      this.#isRunning = false
    }
    this.#armTimer()
  }

  /** That events had to go is told when those that did not are through. */
  #nextEvent(): NodeEvent | undefined {
    const next = this.#inbox.shift()
    if (next !== undefined || !this.#hasOverflowed) return next
    this.#hasOverflowed = false
    return { type: 'limit.reached', limit: 'inbox', action: 'refused' }
  }

  #perform(effect: NodeEffect): void {
    const { network, node, emitSpan, census } = this.#options
    if (effect.do === 'emit-span') emitSpan(effect, node.window)
    else if (effect.do === 'census') census(node.window)
    else if (effect.do === 'observe') this.#inbox.push({ type: 'observed', connections: network.snapshot() })
    else network.perform(this.#stampSentAt(effect))
  }

  /** Digests say when they left, by the wall clock that machines do not see. */
  #stampSentAt(effect: NetworkEffect): NetworkEffect {
    const sentAt = this.#options.clock.wall()
    if (effect.do === 'gossip') return { ...effect, digest: { ...effect.digest, sentAt } }
    if (effect.do !== 'send' || effect.frame.type !== 'digest') return effect
    return { ...effect, frame: { type: 'digest', digest: { ...effect.frame.digest, sentAt } } }
  }

  /** An armed timer that is early enough stays: most events move the deadline by nothing that matters. */
  #armTimer(): void {
    const { node, clock, owner } = this.#options
    const dueAt = node.deadline()
    if (owner.closed || dueAt >= this.#timerAt || dueAt === Infinity) return
    this.#cancelTimer()
    this.#timerAt = dueAt
    this.#cancelTimer = clock.after(Math.max(minDelayMs, dueAt - clock.now()), () => {
      this.#timerAt = Infinity
      if (node.deadline() <= clock.now()) this.deliver({ type: 'tick' })
      else this.#armTimer()
    })
  }
}
