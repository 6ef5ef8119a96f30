import type { SpanEffect } from '../catalogue/span-effect.ts'
import type { NetworkEffect } from './events.ts'
import { type CloseReason, type Frame, type Hello, instanceOf, linkId } from './frames.ts'
import { type Ending, enter, isStanding, type Link } from './link.ts'
import * as spans from './link-spans.ts'
import type { Random } from './machine.ts'
import { childOf, newTrace } from './trace.ts'

export type LinkProtocolEffect =
  | Exclude<NetworkEffect, { do: 'dial.seed' | 'dial.peer' | 'gossip' | 'forward' }>
  | SpanEffect
  | { readonly do: 'joined'; readonly peer: string }
  /** The peer said that it stops. */
  | { readonly do: 'left'; readonly peer: string; readonly incarnation: number; readonly instance: string }

type Goodbye = Extract<Frame, { type: 'goodbye' }>

export interface LinkProtocolOptions {
  readonly self: string
  /** What this node says of itself; counter and trace are the link’s. */
  readonly hello: Omit<Hello, 'counter' | 'trace'>
  readonly random: Random
}

/**
 * A dialler’s wait for the answer to its hello, and a listener’s for a hello; after it the peer is a guest, until it
 * speaks after all. On a machine with ten times its load hellos were seen to take 3 s, and the birth was then two traces.
 */
const greetMs = 6_000
/**
 * Digests come every 2 s, so a link is only asked for a sign of life when one is overdue; with the wait for the answer
 * a dead peer is seen in 3.5 s. Libp2p’s own monitor takes 10 s and is 82 % of a node’s idle CPU time.
 */
const probeAfterMs = 2_300
const probeWaitMs = 1_200
/** A joined link is to a peer that was heard of so many milliseconds ago at most. */
export const linkSilenceMs = probeAfterMs + probeWaitMs
/**
 * What is under way on a loser may still arrive, the answer to a request included that the other end sent before it had
 * both hellos: a round trip. Frames arrive whatever it is, since a polite close waits for them. The lower peer id says
 * goodbye, so that the end is one trace; the other end only acts if it does not.
 */
const drainMs = 150
const drainOtherMs = 1_500
/**
 * A stream that failed to open is opened again, for a peer whose service only comes up or that was short of streams.
 * Few times: a guest that never speaks the protocol is asked in vain. Guess.
 */
const reopenMs = [2_000, 8_000]
/** Whoever is turned away and has said no hello by then is not told why. It takes a place, so this is short. */
const turnAwayMs = 2_000
/** A close that has not happened by then is done again, by force. */
const closeMs = 2_000

/** The conversation on one link: hello, signs of life, goodbye. Which of several links stays is the ledger’s affair. */
export class LinkProtocol {
  readonly #options: LinkProtocolOptions
  #dials = 0

  constructor(options: LinkProtocolOptions) {
    this.#options = options
  }

  /** The dialler numbers its dials, and with that names the link for both ends. */
  dialled(peer: string, link: Link): LinkProtocolEffect[] {
    link.counter = ++this.#dials
    link.id = linkId(this.#options.self, this.#options.hello.incarnation, link.counter)
    return [...this.ensureOpenedSpan(peer, link), { do: 'open', connection: link.connection }]
  }

  /** A listener tells of a connection when it knows whose trace that belongs to, at the latest when more is told of it. */
  ensureOpenedSpan(peer: string, link: Link): LinkProtocolEffect[] {
    if (link.openedSpan !== undefined) return []
    link.openedSpan = newTrace(this.#options.random)
    return [spans.emitOpened(peer, link, link.openedSpan, null)]
  }

  greet(link: Link, now: number): LinkProtocolEffect[] {
    link.heardAt = now
    link.reopenAt = Infinity
    if (link.info.direction === 'inbound') return []
    // A guest is asked again, and stays one if it does not answer.
    if (link.state === 'settled' && link.kind === 'guest') return this.#sendHello(link)
    if (link.state !== 'opening') return []
    enter(link, 'greeting', now)
    return this.#sendHello(link)
  }

  /** The stream of this link is not there: without it two members would be guests to each other for good. */
  scheduleReopen(link: Link, now: number): void {
    const waitMs = reopenMs[link.reopens]
    if (link.info.direction === 'inbound' || waitMs === undefined || !awaitsStream(link)) return
    link.reopens++
    link.reopenAt = now + waitMs
  }

  frame(peer: string, link: Link, frame: Frame, now: number): LinkProtocolEffect[] {
    link.heardAt = now
    link.probedAt = undefined
    if (frame.type === 'hello') return this.#receiveHello(peer, link, frame.hello, now)
    if (frame.type === 'goodbye') return this.#receiveGoodbye(peer, link, frame, now)
    if (frame.type === 'probe') return [{ do: 'send', connection: link.connection, frame: { type: 'answer' } }]
    return []
  }

  guest(peer: string, link: Link, now: number): LinkProtocolEffect[] {
    if (link.kind !== 'unsettled' || !isStanding(link)) return []
    const effects = this.ensureOpenedSpan(peer, link)
    link.kind = 'guest'
    enter(link, 'settled', now)
    return [...effects, spans.emitGuest(peer, link)]
  }

  /** Ends a link from here, with a goodbye where there is somebody to read it. */
  end(peer: string, link: Link, reason: CloseReason, now: number): LinkProtocolEffect[] {
    if (link.state === 'closing') return []
    const effects = this.ensureOpenedSpan(peer, link)
    const abort = reason === 'silent' || reason === 'bad-frame' || reason === 'flooding'
    if (link.hello === undefined || reason === 'transport' || abort) {
      return [...effects, ...this.drop(link, reason, abort, now)]
    }
    const trace = newTrace(this.#options.random)
    return [
      ...effects,
      spans.emitGoodbyeSent(peer, link, reason, trace),
      { do: 'send', connection: link.connection, frame: { type: 'goodbye', reason, trace } },
      ...close(link, { reason, by: 'us', goodbye: 'sent', trace }, false, now),
    ]
  }

  /** Ends a link with nobody told. */
  drop(link: Link, reason: CloseReason, abort: boolean, now: number): LinkProtocolEffect[] {
    return close(link, { reason, by: 'us', goodbye: 'none', trace: undefined }, abort, now)
  }

  dueAt(peer: string, link: Link): number {
    switch (link.state) {
      case 'opening':
        return Math.min(link.stateAt + (link.turnedAway ? turnAwayMs : greetMs), link.reopenAt)
      case 'greeting':
        return link.stateAt + greetMs
      case 'settled':
        if (link.kind === 'guest') return link.reopenAt
        return link.probedAt === undefined ? link.heardAt + probeAfterMs : link.probedAt + probeWaitMs
      case 'draining':
        return link.stateAt + (this.#options.self < peer ? drainMs : drainOtherMs)
      case 'closing':
        return link.stateAt + closeMs
    }
  }

  due(peer: string, link: Link, now: number): LinkProtocolEffect[] {
    if (awaitsStream(link) && link.reopenAt <= now) {
      link.reopenAt = Infinity
      return [{ do: 'open', connection: link.connection }]
    }
    switch (link.state) {
      case 'opening':
        return link.turnedAway ? this.end(peer, link, 'limit', now) : this.guest(peer, link, now)
      case 'greeting':
        return this.end(peer, link, 'silent', now)
      case 'settled':
        if (link.probedAt !== undefined) return this.end(peer, link, 'silent', now)
        link.probedAt = now
        return [{ do: 'send', connection: link.connection, frame: { type: 'probe' } }]
      case 'draining':
        return this.end(peer, link, 'superseded', now)
      case 'closing':
        link.stateAt = now
        return [{ do: 'close', connection: link.connection, abort: true }]
    }
  }

  #sendHello(link: Link): LinkProtocolEffect[] {
    if (link.openedSpan === undefined) return []
    const hello = { ...this.#options.hello, counter: link.counter ?? 0, trace: link.openedSpan }
    return [{ do: 'send', connection: link.connection, frame: { type: 'hello', hello } }]
  }

  #receiveHello(peer: string, link: Link, hello: Hello, now: number): LinkProtocolEffect[] {
    if (link.hello !== undefined || !isStanding(link)) return []
    link.hello = hello
    const effects: LinkProtocolEffect[] = []
    if (link.info.direction === 'inbound') {
      link.counter = hello.counter
      link.id = linkId(peer, hello.incarnation, hello.counter)
      if (link.openedSpan === undefined) {
        link.openedSpan = childOf(hello.trace, this.#options.random)
        effects.push(spans.emitOpened(peer, link, link.openedSpan, hello.trace))
      }
      if (link.turnedAway) return [...effects, ...this.end(peer, link, 'limit', now)]
      effects.push(...this.#sendHello(link))
    }
    const ours = this.#options.hello.meshes
    if (!hello.meshes.some((mesh) => ours.includes(mesh))) {
      const why = `it is in ${hello.meshes.join(' and ')}, we are in ${ours.join(' and ')}`
      effects.push(spans.emitRefused(peer, link, 'foreign-mesh', why))
      return [...effects, ...this.end(peer, link, 'foreign-mesh', now)]
    }
    link.kind = 'member'
    enter(link, 'settled', now)
    return [...effects, spans.emitHello(peer, link, hello.trace)]
  }

  #receiveGoodbye(peer: string, link: Link, frame: Goodbye, now: number): LinkProtocolEffect[] {
    const { ending } = link
    if (ending?.goodbye === 'received' || ending?.goodbye === 'both') return []
    const left: LinkProtocolEffect[] =
      frame.reason === 'stopping' && link.hello !== undefined
        ? [{ do: 'left', peer, incarnation: link.hello.incarnation, instance: instanceOf(link.hello) }]
        : []
    if (ending?.goodbye === 'sent') return [this.#crossed(peer, link, ending, frame), ...left]
    const effects: LinkProtocolEffect[] = this.ensureOpenedSpan(peer, link)
    effects.push(spans.emitGoodbyeReceived(peer, link, frame.reason, frame.trace))
    if (frame.reason === 'foreign-mesh') {
      effects.push(spans.emitRefused(peer, link, 'foreign-mesh', 'the other side is in another mesh'))
    }
    const theirs: Ending = { reason: frame.reason, by: 'them', goodbye: 'received', trace: frame.trace }
    return [...effects, ...left, ...close(link, theirs, false, now)]
  }

  /** Both said goodbye before either had heard it: the end is in the trace of the lower peer id’s, on both ends. */
  #crossed(peer: string, link: Link, ours: Ending, frame: Goodbye): LinkProtocolEffect {
    const trace = peer < this.#options.self ? frame.trace : (ours.trace ?? frame.trace)
    link.ending = { ...ours, goodbye: 'both', trace }
    return spans.emitGoodbyeReceived(peer, link, frame.reason, frame.trace, trace)
  }
}

/** Nobody has spoken on it, and that may only be for want of a stream. */
function awaitsStream(link: Link): boolean {
  return link.state === 'opening' || (link.state === 'settled' && link.kind === 'guest')
}

function close(link: Link, ending: Ending, abort: boolean, now: number): LinkProtocolEffect[] {
  link.ending = ending
  enter(link, 'closing', now)
  return [{ do: 'close', connection: link.connection, abort }]
}
