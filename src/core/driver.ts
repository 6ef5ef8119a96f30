import type { SpanEffect } from '../catalogue/span-effect.ts'
import type { Network, NetworkEffect, NodeEffect, NodeEvent } from './events.ts'
import type { Frame } from './frames.ts'
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
  /** Whether spans leave the process; true by default. */
  readonly exportsSpans?: boolean
  /** Counts the owned resources and emits the census. */
  readonly census: (cause: 'started' | 'periodic', window: TraceRef | undefined) => void
}

/** A deadline that is already due still yields to other work. */
const minDelayMs = 1

/**
 * Runs a node over a network: it handles one event at a time, performs the effects in order, and has one timer. It
 * never re-enters a machine: events that an effect causes synchronously wait in the inbox.
 */
export class Driver {
  readonly #options: DriverOptions
  readonly #inbox: NodeEvent[] = []
  #isRunning = false
  #timerAt = Infinity
  #cancelTimer = () => {}
  #isHintQueued = false
  #hasOverflowed = false
  #onHandled = () => {}

  constructor(options: DriverOptions) {
    this.#options = options
  }

  /** `settings`: process settings that differ from the recommended ones, for the start span. */
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

  /**
   * Resolves once `holds` does, which it checks after events, or after `limitMs`, or when the owner closes; one caller at
   * a time.
   */
  async waitFor(holds: () => boolean, limitMs: number): Promise<void> {
    const { owner } = this.#options
    if (owner.closed) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const cancel = owner.after(limitMs, resolve)
    const onAbort = () => resolve()
    owner.signal.addEventListener('abort', onAbort, { once: true })
    this.#onHandled = () => {
      if (holds()) resolve()
    }
    this.#onHandled()
    await promise
    this.#onHandled = () => {}
    owner.signal.removeEventListener('abort', onAbort)
    cancel()
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
    this.#onHandled()
  }

  /** Reports an overflow once the inbox is empty. */
  #nextEvent(): NodeEvent | undefined {
    const next = this.#inbox.shift()
    if (next !== undefined || !this.#hasOverflowed) return next
    this.#hasOverflowed = false
    return { type: 'limit.reached', limit: 'inbox', action: 'refused' }
  }

  #perform(effect: NodeEffect): void {
    const { network, node, emitSpan, census } = this.#options
    if (effect.do === 'emit-span') emitSpan(effect, node.window)
    else if (effect.do === 'census') census(effect.cause, node.window)
    else if (effect.do === 'observe') this.#inbox.push({ type: 'observed', connections: network.observe() })
    else network.perform(this.#stamp(effect))
  }

  /** Adds what machines cannot know: the send time of digests, and that nobody exports the spans that frames name. */
  #stamp(effect: NetworkEffect): NetworkEffect {
    const sentAt = this.#options.clock.wall()
    if (effect.do === 'gossip') return { ...effect, digest: { ...effect.digest, sentAt } }
    if (effect.do !== 'send') return effect
    const frame = this.#stampFrame(effect.frame, sentAt)
    return frame === effect.frame ? effect : { ...effect, frame }
  }

  #stampFrame(frame: Frame, sentAt: number): Frame {
    if (frame.type === 'digest') return { ...frame, digest: { ...frame.digest, sentAt } }
    if (this.#options.exportsSpans !== false) return frame
    if (frame.type === 'hello') return { ...frame, hello: { ...frame.hello, trace: unsampled(frame.hello.trace) } }
    return frame.type === 'goodbye' ? { ...frame, trace: unsampled(frame.trace) } : frame
  }

  /** Keeps an armed timer that is early enough: most events hardly move the deadline. */
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

function unsampled(trace: TraceRef): TraceRef {
  return { ...trace, sampled: false }
}
