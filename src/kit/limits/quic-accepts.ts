import type { SpanEffect } from '../../catalogue/span-effect.ts'
import { HandshakeWatch } from '../../core/handshake-watch.ts'
import type { Clock } from '../../core/machine.ts'
import type { Owner } from '../../core/owner.ts'
import { emitHandshakesStalled } from '../../core/spans/node.ts'
import type { TracemeshComponents } from '../components.ts'
import { replaceMethod } from '../replace-method.ts'

type Listener = ReturnType<TracemeshComponents['transportManager']['getListeners']>[number]

/** What the kit uses of the QUIC listener; another version of the transport may not have it. */
interface QuicListener extends Listener {
  readonly state: {
    readonly listener: { inboundConnection(): Promise<unknown>; stats(): { readonly acceptedHandshakes: number } }
  }
  /** Accepts connections, one after the other, until the listener closes. */
  awaitInboundConnections(): Promise<void>
}

interface QuicAcceptsOptions {
  readonly owner: Owner
  readonly clock: Clock
  readonly components: Pick<TracemeshComponents, 'events' | 'transportManager'>
  /**
   * Handshakes of one listener at a time, at most. A stalled one takes its place for 10 to 20 s, and the
   * native listener does not say of which host it is: as many of one host keep others out of QUIC.
   */
  readonly handshakes: number
  readonly emitSpan: (span: SpanEffect) => void
}

/** After this long at most a listener whose first handshakes all stall takes further ones. Milliseconds. */
const pollMs = 3_000
/** While a handshake is in progress; an idle listener costs no wake-ups of its own. Milliseconds. */
const busyPollMs = 1_000
/** Handshakes at a time until all of these are in progress: each place costs some 4 kB, used or not. */
const firstPlaces = 16
/** The shortest timer: it fires once per turn of a busy event loop. */
const turnMs = 1

/**
 * Lets a QUIC listener be in several handshakes at once. The transport accepts a connection only after the handshake of the
 * one before it, so a single peer whose answers get lost keeps all others out for 10 s and more. Further calls of its
 * accept loop end that. It also finds handshakes that stall.
 */
export class QuicAccepts {
  readonly #options: QuicAcceptsOptions

  constructor(options: QuicAcceptsOptions) {
    this.#options = options
  }

  start(): void {
    const { owner, components } = this.#options
    const onListening = ({ detail }: CustomEvent<Listener>) => this.#widen(detail)
    for (const listener of components.transportManager.getListeners()) this.#widen(listener)
    components.events.addEventListener('transport:listening', onListening)
    owner.adopt('accept listener', () => components.events.removeEventListener('transport:listening', onListening))
  }

  #widen(listener: Listener): void {
    // An own method is the replacement below.
    if (!isQuicListener(listener) || Object.hasOwn(listener.state.listener, 'inboundConnection')) return
    const { owner, clock, emitSpan, handshakes } = this.#options
    const { listener: native } = listener.state
    // Each loop calls again as soon as its handshake has finished, so calls but the first of each loop count finished ones.
    let finished = 0
    const turns = new Turns(owner)
    const restore = replaceMethod(native, 'inboundConnection', (accept) => async () => {
      finished++
      const connection = await accept()
      await turns.next()
      return connection
    })
    let acceptedBefore = native.stats().acceptedHandshakes
    let places = 1
    const grow = (to: number) => {
      finished -= to - places
      for (; places < to; places++) void listener.awaitInboundConnections()
    }
    grow(Math.min(firstPlaces, handshakes))
    const address = listener.getAddrs().join(' ')
    let cancelNext = () => {}
    const release = owner.adopt(`accepts of ${address}`, () => {
      stop()
      cancelNext()
      restore()
    })
    const watch = new HandshakeWatch()
    const poll = () => {
      cancelNext()
      if (!isQuicListener(listener)) return void release()
      const accepted = native.stats().acceptedHandshakes
      // A handshake may have been in progress when the count began.
      if (accepted - acceptedBefore < finished) acceptedBefore = accepted - finished
      const inProgress = accepted - acceptedBefore - finished
      if (inProgress >= places && places < handshakes) grow(handshakes)
      if (inProgress > 0) cancelNext = owner.after(busyPollMs, poll)
      const stalled = watch.observe({ accepted: accepted - acceptedBefore, finished }, clock.now())
      if (stalled !== undefined) emitSpan(emitHandshakesStalled(address, stalled, handshakes))
    }
    const stop = owner.every(pollMs, poll)
    poll()
  }
}

/**
 * Lets one caller pass in each turn of the event loop, in their order. A new connection costs a node some 12 ms of CPU
 * until it is a member. When 300 peers join at once, the 99th percentile of the loop's delay is 220 ms without this,
 * 150 with two a turn, 76 with one (`npm run prove -- join-300`); all have joined as soon.
 */
export class Turns {
  readonly #owner: Owner
  #isPassed = false
  /** As many as the callers have calls in progress. */
  #waiting: readonly (() => void)[] = []

  constructor(owner: Owner) {
    this.#owner = owner
    // The transport closes a connection only once it has it.
    owner.adopt('turns of accepts', () => {
      for (const resolve of this.#waiting) resolve()
      this.#waiting = []
    })
  }

  /** Resolves at once if nobody has passed in this turn, otherwise in a later one. */
  async next(): Promise<void> {
    if (this.#owner.closed) return
    if (!this.#isPassed) {
      this.#isPassed = true
      this.#owner.after(turnMs, () => this.#startTurn())
      return
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting = [...this.#waiting, resolve]
    await promise
  }

  #startTurn(): void {
    const [first, ...others] = this.#waiting
    this.#waiting = others
    this.#isPassed = first !== undefined
    if (first === undefined) return
    this.#owner.after(turnMs, () => this.#startTurn())
    first()
  }
}

function isQuicListener(listener: Partial<QuicListener>): listener is QuicListener {
  const native = listener.state?.listener
  return (
    typeof listener.awaitInboundConnections === 'function' &&
    typeof native?.inboundConnection === 'function' &&
    typeof native.stats === 'function'
  )
}
