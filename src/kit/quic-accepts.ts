import type { SpanEffect } from '../catalogue/span-effect.ts'
import { HandshakeWatch } from '../core/handshake-watch.ts'
import type { Clock } from '../core/machine.ts'
import type { Owner } from '../core/owner.ts'
import { emitHandshakesStalled } from '../core/spans/node.ts'
import type { TracemeshComponents } from './components.ts'
import { replaceMethod } from './replace-method.ts'

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
   * Handshakes of one listener at a time; each costs some 2.5 kB. A stalled one takes its place for 10 to 20 s, and the
   * native listener does not say of which host it is: as many of one host keep others out of QUIC.
   */
  readonly handshakes: number
  readonly emitSpan: (span: SpanEffect) => void
}

const pollMs = 2_000

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
    const further = handshakes - 1
    // Each loop calls again as soon as its handshake has finished, so calls count finished handshakes.
    let calls = -further
    const restore = replaceMethod(native, 'inboundConnection', (accept) => () => {
      calls++
      return accept()
    })
    let acceptedBefore = native.stats().acceptedHandshakes
    for (let loop = 0; loop < further; loop++) void listener.awaitInboundConnections()
    const address = listener.getAddrs().join(' ')
    const release = owner.adopt(`accepts of ${address}`, restore)
    const watch = new HandshakeWatch()
    const poll = () => {
      if (!isQuicListener(listener)) return void release()
      const accepted = native.stats().acceptedHandshakes
      // A handshake may have been in progress when the count began.
      if (accepted - acceptedBefore < calls) acceptedBefore = accepted - calls
      const stalled = watch.observe({ accepted: accepted - acceptedBefore, finished: calls }, clock.now())
      if (stalled !== undefined) emitSpan(emitHandshakesStalled(address, stalled, handshakes))
      owner.after(pollMs, poll)
    }
    poll()
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
