import type { SpanEffect } from '../catalogue/span-effect.ts'
import type { AdmissionRules } from './credentials/admission-rules.ts'
import type { Claim, Credential, CredentialCause, Proof } from './credentials/credential.ts'
import type { NetworkEffect } from './events.ts'
import { type CloseReason, type Frame, type Hello, instanceOf, linkId } from './frames.ts'
import { type Ending, enter, isActive, isChecked, isJoined, type Link } from './link.ts'
import type { Random } from './machine.ts'
import { emitAdmissionGranted } from './spans/admission.ts'
import {
  emitConnectionGuest,
  emitConnectionOpened,
  emitConnectionWedged,
  emitGoodbyeReceived,
  emitGoodbyeSent,
  emitHelloReceived,
  emitLinkRefused,
} from './spans/link.ts'
import { type AwaitedStream, checkLimitMs } from './stream-check.ts'
import { childOf, newTrace } from './trace.ts'

export type LinkProtocolEffect =
  | Extract<NetworkEffect, { readonly do: 'open' | 'send' | 'close' | 'check' | 'admit' }>
  | SpanEffect
  | { readonly do: 'joined'; readonly peer: string }
  /** The peer's goodbye says that it stops. */
  | { readonly do: 'left'; readonly peer: string; readonly incarnation: number; readonly instance: string }

type Goodbye = Extract<Frame, { type: 'goodbye' }>

export interface LinkProtocolOptions {
  readonly self: string
  /** Own hello; each link adds its counter and trace. */
  readonly hello: Omit<Hello, 'counter' | 'trace'>
  readonly random: Random
  /** Whether it checks that streams open; true by default. */
  readonly watchdog?: boolean
  /** Who may join; everybody by default. */
  readonly admission?: AdmissionRules | undefined
  /** Tokens of the own credentials, which a hello shows. */
  readonly credentials?: (() => readonly string[]) | undefined
  /** Why a credential that proved a claim does so no longer. */
  readonly findFlaw?: ((credential: Credential, claim: Claim) => CredentialCause | undefined) | undefined
}

/**
 * Timeout for the answer to the dialler’s hello and for the hello at the listener. After it the peer is a guest until
 * its hello arrives. On a machine with ten times its load hellos took 3 s; a shorter timeout split the opening into two
 * traces.
 */
const helloTimeoutMs = 6_000
/**
 * Digests arrive every 2 s, so the node only probes a link whose digest is overdue. With the probe timeout it detects a
 * dead peer in 3.5 s. Libp2p’s own monitor takes 10 s and is 82 % of a node’s idle CPU time.
 */
const probeAfterMs = 2_300
const probeTimeoutMs = 1_200
/** Longest silence of a peer on a joined link, in milliseconds. */
export const linkSilenceMs = probeAfterMs + probeTimeoutMs
/**
 * Frames in transit on the losing link may still arrive, such as the answer to a request that the other end sent before
 * it had both hellos: one round trip. A graceful close waits for them in any case. The end with the lower peer id
 * sends the goodbye, so that the close is one trace; the other end acts only if no goodbye comes.
 */
const lowerDrainMs = 150
const higherDrainMs = 1_500
/**
 * Delays before reopening a stream that failed to open: the peer's service may still be starting, or the peer may have
 * run out of streams. Only two, because a guest never speaks the protocol. Guess.
 */
const reopenDelaysMs = [2_000, 8_000]
/** Wait for the hello of a peer over the limit, which a goodbye answers. It takes a place, so the wait is short. */
const overLimitMs = 2_000
/** A close that takes longer is aborted. */
const closeTimeoutMs = 2_000

/** The protocol on one link: hello, probes, goodbye. The ledger chooses among several links. */
export class LinkProtocol {
  readonly #options: LinkProtocolOptions
  #dials = 0

  constructor(options: LinkProtocolOptions) {
    this.#options = options
  }

  /** The dialler numbers its dials; the number is part of the link id on both ends. */
  onDialled(peer: string, link: Link): LinkProtocolEffect[] {
    link.counter = ++this.#dials
    link.id = linkId(this.#options.self, this.#options.hello.incarnation, link.counter)
    return [...this.ensureOpenedSpan(peer, link), { do: 'open', connection: link.connection }]
  }

  /** A listener emits the opened span once it knows its trace, at the latest before any other span of the link. */
  ensureOpenedSpan(peer: string, link: Link): LinkProtocolEffect[] {
    if (link.openedSpan !== undefined) return []
    link.openedSpan = newTrace(this.#options.random)
    return [emitConnectionOpened(peer, link, link.openedSpan, null)]
  }

  onStreamOpen(link: Link, now: number): LinkProtocolEffect[] {
    link.heardAt = now
    link.reopenAt = Infinity
    if (link.info.direction === 'inbound') return []
    // Sends a hello to a guest too; without an answer it stays a guest.
    if (link.state === 'settled' && link.kind === 'guest') return this.#sendHello(link)
    if (link.state !== 'opening') return []
    enter(link, 'greeting', now)
    return this.#sendHello(link)
  }

  /** The stream of this link is missing; without a retry two members would stay guests of each other. */
  scheduleReopen(link: Link, now: number): void {
    const delayMs = reopenDelaysMs[link.reopens]
    if (link.info.direction === 'inbound' || delayMs === undefined || !awaitsStream(link)) return
    link.reopens++
    link.reopenAt = now + delayMs
  }

  /** `proof`: what the credentials in a frame prove, in a closed mesh. */
  onFrame(peer: string, link: Link, frame: Frame, now: number, proof?: Proof): LinkProtocolEffect[] {
    link.heardAt = now
    link.probedAt = undefined
    switch (frame.type) {
      case 'hello':
        return this.#receiveHello(peer, link, frame.hello, proof, now)
      case 'credentials':
        return this.#receiveCredentials(peer, link, proof, now)
      case 'goodbye':
        return this.#receiveGoodbye(peer, link, frame, now)
      case 'probe':
        return [{ do: 'send', connection: link.connection, frame: { type: 'answer' } }]
      case 'digest':
      case 'unchanged':
      case 'answer':
      case 'dialback.request':
      case 'dialback.result':
        return []
    }
  }

  acceptGuest(peer: string, link: Link, now: number): LinkProtocolEffect[] {
    if (link.kind !== 'unsettled' || !isActive(link)) return []
    const effects = this.ensureOpenedSpan(peer, link)
    const { admission } = this.#options
    if (admission?.allowsGuest(peer) === false) return [...effects, ...this.refuse(peer, link, 'missing', now)]
    link.kind = 'guest'
    enter(link, 'settled', now)
    return [...effects, emitConnectionGuest(peer, link), ...this.#admit(peer)]
  }

  /** Ends a link of a peer that is not, or no longer, admitted. The peer learns that, and not why. */
  refuse(peer: string, link: Link, cause: CredentialCause, now: number): LinkProtocolEffect[] {
    if (link.state === 'closing') return []
    const trace = newTrace(this.#options.random)
    return [
      ...this.ensureOpenedSpan(peer, link),
      ...(this.#options.admission?.emitRefused(peer, link, cause, now) ?? []),
      { do: 'send', connection: link.connection, frame: { type: 'goodbye', reason: 'not-admitted', trace } },
      ...closeLink(link, { reason: 'not-admitted', by: 'us', goodbye: 'sent', trace }, false, now),
    ]
  }

  /** Shows the present own credentials on a joined link, in place of those of the hello. */
  showCredentials({ connection }: Link): LinkProtocolEffect[] {
    const credentials = this.#options.credentials?.() ?? []
    return credentials.length === 0 ? [] : [{ do: 'send', connection, frame: { type: 'credentials', credentials } }]
  }

  /** Ends a link whose credentials have expired, or no longer count. */
  checkCredentials(peer: string, link: Link, now: number): LinkProtocolEffect[] {
    const { hello, credentials } = link
    const { findFlaw } = this.#options
    if (hello === undefined || findFlaw === undefined || !isJoined(link)) return []
    for (const credential of credentials) {
      const cause = findFlaw(credential, { peer, mesh: credential.mesh, role: hello.role })
      if (cause !== undefined) return this.refuse(peer, link, cause, now)
    }
    return []
  }

  #admit(peer: string): LinkProtocolEffect[] {
    const isClosed = this.#options.admission?.isOpen === false
    return isClosed ? [{ do: 'admit', peer }] : []
  }

  /** Ends a link from this side, with a goodbye if the peer can read it. */
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
      emitGoodbyeSent(peer, link, reason, trace),
      { do: 'send', connection: link.connection, frame: { type: 'goodbye', reason, trace } },
      ...closeLink(link, { reason, by: 'us', goodbye: 'sent', trace }, false, now),
    ]
  }

  /** Ends a link without a goodbye. */
  dropLink(link: Link, reason: CloseReason, abort: boolean, now: number): LinkProtocolEffect[] {
    return closeLink(link, { reason, by: 'us', goodbye: 'none', trace: undefined }, abort, now)
  }

  dueAt(peer: string, link: Link): number {
    switch (link.state) {
      case 'opening':
        return Math.min(link.enteredAt + (link.isOverLimit ? overLimitMs : helloTimeoutMs), link.reopenAt)
      case 'greeting':
        return link.enteredAt + helloTimeoutMs
      case 'settled':
        if (link.kind === 'guest') return Math.min(link.reopenAt, this.#isChecked(link) ? link.check.dueAt : Infinity)
        return link.probedAt === undefined ? link.heardAt + probeAfterMs : link.probedAt + probeTimeoutMs
      case 'draining':
        return link.enteredAt + (this.#options.self < peer ? lowerDrainMs : higherDrainMs)
      case 'closing':
        return link.enteredAt + closeTimeoutMs
    }
  }

  onDue(peer: string, link: Link, now: number): LinkProtocolEffect[] {
    if (awaitsStream(link) && link.reopenAt <= now) {
      link.reopenAt = Infinity
      return [{ do: 'open', connection: link.connection }]
    }
    switch (link.state) {
      case 'opening':
        return link.isOverLimit ? this.endLink(peer, link, 'limit', now) : this.acceptGuest(peer, link, now)
      case 'greeting':
        return this.endLink(peer, link, 'silent', now)
      case 'settled':
        if (link.kind === 'guest') return this.checkStreams(link, now)
        if (link.probedAt !== undefined) return this.endLink(peer, link, 'silent', now)
        link.probedAt = now
        return [{ do: 'send', connection: link.connection, frame: { type: 'probe' } }]
      case 'draining':
        return this.endLink(peer, link, 'superseded', now)
      case 'closing':
        link.enteredAt = now
        return [{ do: 'close', connection: link.connection, abort: true }]
    }
  }

  /** Begins a check, if none is running. `awaited`: the slow stream that is the reason. */
  checkStreams({ check, connection }: Link, now: number, awaited?: AwaitedStream): LinkProtocolEffect[] {
    if (this.#options.watchdog === false) return []
    return check.begin(now, awaited) ? [{ do: 'check', connection, limitMs: checkLimitMs }] : []
  }

  /** Aborts: only the end of the connection ends the wait for streams that do not open. */
  onChecked(peer: string, link: Link, hasOpened: boolean, now: number): LinkProtocolEffect[] {
    const awaited = link.check.end(hasOpened, now)
    if (awaited === undefined || !isActive(link)) return []
    const closes = link.info.isForeign !== true
    return [
      ...this.ensureOpenedSpan(peer, link),
      emitConnectionWedged(peer, link, awaited, closes),
      ...(closes ? this.dropLink(link, 'wedged', true, now) : []),
    ]
  }

  #isChecked(link: Link): boolean {
    return this.#options.watchdog !== false && isChecked(link)
  }

  #sendHello(link: Link): LinkProtocolEffect[] {
    if (link.openedSpan === undefined) return []
    const credentials = this.#options.credentials?.() ?? []
    const hello = {
      ...this.#options.hello,
      counter: link.counter ?? 0,
      trace: link.openedSpan,
      ...(credentials.length > 0 && { credentials }),
    }
    return [{ do: 'send', connection: link.connection, frame: { type: 'hello', hello } }]
  }

  #receiveHello(peer: string, link: Link, hello: Hello, proof: Proof | undefined, now: number): LinkProtocolEffect[] {
    if (link.hello !== undefined || !isActive(link)) return []
    const { admission } = this.#options
    // A closed mesh refuses before it says anything about itself.
    const cause = admission?.refusalOf(proof)
    if (cause !== undefined) return this.refuse(peer, link, cause, now)
    link.hello = hello
    link.credentials = proof?.credentials ?? []
    const effects: LinkProtocolEffect[] = []
    if (link.info.direction === 'inbound') {
      link.counter = hello.counter
      link.id = linkId(peer, hello.incarnation, hello.counter)
      if (link.openedSpan === undefined) {
        link.openedSpan = childOf(hello.trace, this.#options.random)
        effects.push(emitConnectionOpened(peer, link, link.openedSpan, hello.trace))
      }
      if (link.isOverLimit) return [...effects, ...this.endLink(peer, link, 'limit', now)]
      effects.push(...this.#sendHello(link))
    }
    const ownMeshes = this.#options.hello.meshes
    if (!hello.meshes.some((mesh) => ownMeshes.includes(mesh))) {
      const why = `the peer is in ${hello.meshes.join(' and ')}, this node is in ${ownMeshes.join(' and ')}`
      effects.push(emitLinkRefused(peer, link, 'foreign-mesh', why))
      return [...effects, ...this.endLink(peer, link, 'foreign-mesh', now)]
    }
    link.kind = 'member'
    enter(link, 'settled', now)
    const granted = admission?.isOpen === false ? [emitAdmissionGranted(peer, link, proof)] : []
    return [...effects, emitHelloReceived(peer, link, hello.trace), ...granted, ...this.#admit(peer)]
  }

  /** A member shows other credentials: they replace those of before, and have to prove the same. */
  #receiveCredentials(peer: string, link: Link, proof: Proof | undefined, now: number): LinkProtocolEffect[] {
    const { admission } = this.#options
    if (admission === undefined || admission.isOpen || !isJoined(link)) return []
    const cause = admission.refusalOf(proof)
    if (cause !== undefined) return this.refuse(peer, link, cause, now)
    link.credentials = proof?.credentials ?? []
    return []
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
    effects.push(emitGoodbyeReceived(peer, link, frame.reason, frame.trace))
    if (frame.reason === 'foreign-mesh') {
      effects.push(emitLinkRefused(peer, link, 'foreign-mesh', 'the peer refused the link: it is in another mesh'))
    }
    const remoteEnding: Ending = { reason: frame.reason, by: 'them', goodbye: 'received', trace: frame.trace }
    return [...effects, ...leftEffects, ...closeLink(link, remoteEnding, false, now)]
  }

  /** The goodbyes of both ends crossed: on both ends the close belongs to the trace of the lower peer id’s goodbye. */
  #onCrossedGoodbye(peer: string, link: Link, ownEnding: Ending, frame: Goodbye): LinkProtocolEffect {
    const trace = peer < this.#options.self ? frame.trace : (ownEnding.trace ?? frame.trace)
    link.ending = { ...ownEnding, goodbye: 'both', trace }
    return emitGoodbyeReceived(peer, link, frame.reason, frame.trace, trace)
  }
}

/** Whether the link has no hello yet, perhaps because its stream did not open. */
function awaitsStream(link: Link): boolean {
  return link.state === 'opening' || (link.state === 'settled' && link.kind === 'guest')
}

function closeLink(link: Link, ending: Ending, abort: boolean, now: number): LinkProtocolEffect[] {
  link.ending = ending
  enter(link, 'closing', now)
  const isRefused = ending.reason === 'not-admitted' && ending.by === 'us'
  return [{ do: 'close', connection: link.connection, abort, ...(isRefused && { isRefused }) }]
}
