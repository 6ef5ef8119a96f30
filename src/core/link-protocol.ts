import type { SpanEffect } from '../catalogue/span-effect.ts'
import type { NetworkEffect } from './events.ts'
import { type CloseReason, type Frame, type Hello, instanceOf, linkId } from './frames.ts'
import { type Ending, enter, isActive, type Link } from './link.ts'
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
const helloTimeoutMs = 6_000
/**
 * Digests come every 2 s, so a link is only asked for a sign of life when one is overdue; with the wait for the answer
 * a dead peer is seen in 3.5 s. Libp2p’s own monitor takes 10 s and is 82 % of a node’s idle CPU time.
 */
const probeAfterMs = 2_300
const probeTimeoutMs = 1_200
/** A joined link is to a peer that was heard of so many milliseconds ago at most. */
export const linkSilenceMs = probeAfterMs + probeTimeoutMs
/**
 * What is under way on a loser may still arrive, the answer to a request included that the other end sent before it had
 * both hellos: a round trip. Frames arrive whatever it is, since a polite close waits for them. The lower peer id says
 * goodbye, so that the end is one trace; the other end only acts if it does not.
 */
const lowerDrainMs = 150
const higherDrainMs = 1_500
/**
 * A stream that failed to open is opened again, for a peer whose service only comes up or that was short of streams.
 * Few times: a guest that never speaks the protocol is asked in vain. Guess.
 */
const reopenDelaysMs = [2_000, 8_000]
/** Whoever is turned away and has said no hello by then is not told why. It takes a place, so this is short. */
const overCapacityMs = 2_000
/** A close that has not happened by then is done again, by force. */
const closeTimeoutMs = 2_000

/** The conversation on one link: hello, signs of life, goodbye. Which of several links stays is the ledger’s affair. */
export class LinkProtocol {
  readonly #options: LinkProtocolOptions
  #dials = 0

  constructor(options: LinkProtocolOptions) {
    this.#options = options
  }

  /** The dialler numbers its dials, and with that names the link for both ends. */
  onDialled(peer: string, link: Link): LinkProtocolEffect[] {
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

  onStreamOpen(link: Link, now: number): LinkProtocolEffect[] {
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
    const waitMs = reopenDelaysMs[link.reopens]
    if (link.info.direction === 'inbound' || waitMs === undefined || !awaitsStream(link)) return
    link.reopens++
    link.reopenAt = now + waitMs
  }

  onFrame(peer: string, link: Link, frame: Frame, now: number): LinkProtocolEffect[] {
    link.heardAt = now
    link.probedAt = undefined
    if (frame.type === 'hello') return this.#receiveHello(peer, link, frame.hello, now)
    if (frame.type === 'goodbye') return this.#receiveGoodbye(peer, link, frame, now)
    if (frame.type === 'probe') return [{ do: 'send', connection: link.connection, frame: { type: 'answer' } }]
    return []
  }

  acceptGuest(peer: string, link: Link, now: number): LinkProtocolEffect[] {
    if (link.kind !== 'unsettled' || !isActive(link)) return []
    const effects = this.ensureOpenedSpan(peer, link)
    link.kind = 'guest'
    enter(link, 'settled', now)
    return [...effects, spans.emitGuest(peer, link)]
  }

  /** Ends a link from here, with a goodbye where there is somebody to read it. */
  endLink(peer: string, link: Link, reason: CloseReason, now: number): LinkProtocolEffect[] {
    if (link.state === 'closing') return []
    const effects = this.ensureOpenedSpan(peer, link)
    const abort = reason === 'silent' || reason === 'bad-frame' || reason === 'flooding'
    if (link.hello === undefined || reason === 'transport' || abort) {
      return [...effects, ...this.dropLink(link, reason, abort, now)]
    }
    const trace = newTrace(this.#options.random)
    return [
      ...effects,
      spans.emitGoodbyeSent(peer, link, reason, trace),
      { do: 'send', connection: link.connection, frame: { type: 'goodbye', reason, trace } },
      ...closeLink(link, { reason, by: 'us', goodbye: 'sent', trace }, false, now),
    ]
  }

  /** Ends a link with nobody told. */
  dropLink(link: Link, reason: CloseReason, abort: boolean, now: number): LinkProtocolEffect[] {
    return closeLink(link, { reason, by: 'us', goodbye: 'none', trace: undefined }, abort, now)
  }

  dueAt(peer: string, link: Link): number {
    switch (link.state) {
      case 'opening':
        return Math.min(link.stateAt + (link.isOverCapacity ? overCapacityMs : helloTimeoutMs), link.reopenAt)
      case 'greeting':
        return link.stateAt + helloTimeoutMs
      case 'settled':
        if (link.kind === 'guest') return link.reopenAt
        return link.probedAt === undefined ? link.heardAt + probeAfterMs : link.probedAt + probeTimeoutMs
      case 'draining':
        return link.stateAt + (this.#options.self < peer ? lowerDrainMs : higherDrainMs)
      case 'closing':
        return link.stateAt + closeTimeoutMs
    }
  }

  handleDue(peer: string, link: Link, now: number): LinkProtocolEffect[] {
    if (awaitsStream(link) && link.reopenAt <= now) {
      link.reopenAt = Infinity
      return [{ do: 'open', connection: link.connection }]
    }
    switch (link.state) {
      case 'opening':
        return link.isOverCapacity ? this.endLink(peer, link, 'limit', now) : this.acceptGuest(peer, link, now)
      case 'greeting':
        return this.endLink(peer, link, 'silent', now)
      case 'settled':
        if (link.probedAt !== undefined) return this.endLink(peer, link, 'silent', now)
        link.probedAt = now
        return [{ do: 'send', connection: link.connection, frame: { type: 'probe' } }]
      case 'draining':
        return this.endLink(peer, link, 'superseded', now)
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
    if (link.hello !== undefined || !isActive(link)) return []
    link.hello = hello
    const effects: LinkProtocolEffect[] = []
    if (link.info.direction === 'inbound') {
      link.counter = hello.counter
      link.id = linkId(peer, hello.incarnation, hello.counter)
      if (link.openedSpan === undefined) {
        link.openedSpan = childOf(hello.trace, this.#options.random)
        effects.push(spans.emitOpened(peer, link, link.openedSpan, hello.trace))
      }
      if (link.isOverCapacity) return [...effects, ...this.endLink(peer, link, 'limit', now)]
      effects.push(...this.#sendHello(link))
    }
    const ownMeshes = this.#options.hello.meshes
    if (!hello.meshes.some((mesh) => ownMeshes.includes(mesh))) {
      const why = `it is in ${hello.meshes.join(' and ')}, we are in ${ownMeshes.join(' and ')}`
      effects.push(spans.emitRefused(peer, link, 'foreign-mesh', why))
      return [...effects, ...this.endLink(peer, link, 'foreign-mesh', now)]
    }
    link.kind = 'member'
    enter(link, 'settled', now)
    return [...effects, spans.emitHello(peer, link, hello.trace)]
  }

  #receiveGoodbye(peer: string, link: Link, frame: Goodbye, now: number): LinkProtocolEffect[] {
    const { ending } = link
    if (ending?.goodbye === 'received' || ending?.goodbye === 'both') return []
    const leftEffects: LinkProtocolEffect[] =
      frame.reason === 'stopping' && link.hello !== undefined
        ? [{ do: 'left', peer, incarnation: link.hello.incarnation, instance: instanceOf(link.hello) }]
        : []
    if (ending?.goodbye === 'sent') return [this.#onCrossedGoodbye(peer, link, ending, frame), ...leftEffects]
    const effects: LinkProtocolEffect[] = this.ensureOpenedSpan(peer, link)
    effects.push(spans.emitGoodbyeReceived(peer, link, frame.reason, frame.trace))
    if (frame.reason === 'foreign-mesh') {
      effects.push(spans.emitRefused(peer, link, 'foreign-mesh', 'the other side is in another mesh'))
    }
    const remoteEnding: Ending = { reason: frame.reason, by: 'them', goodbye: 'received', trace: frame.trace }
    return [...effects, ...leftEffects, ...closeLink(link, remoteEnding, false, now)]
  }

  /** Both said goodbye before either had heard it: the end is in the trace of the lower peer id’s, on both ends. */
  #onCrossedGoodbye(peer: string, link: Link, ownEnding: Ending, frame: Goodbye): LinkProtocolEffect {
    const trace = peer < this.#options.self ? frame.trace : (ownEnding.trace ?? frame.trace)
    link.ending = { ...ownEnding, goodbye: 'both', trace }
    return spans.emitGoodbyeReceived(peer, link, frame.reason, frame.trace, trace)
  }
}

/** Nobody has spoken on it, and that may only be for want of a stream. */
function awaitsStream(link: Link): boolean {
  return link.state === 'opening' || (link.state === 'settled' && link.kind === 'guest')
}

function closeLink(link: Link, ending: Ending, abort: boolean, now: number): LinkProtocolEffect[] {
  link.ending = ending
  enter(link, 'closing', now)
  return [{ do: 'close', connection: link.connection, abort }]
}
