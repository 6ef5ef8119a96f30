import { type EventHandler, TypedEventEmitter } from '@libp2p/interface'
import type { Role } from '../catalogue/roles.ts'
import type { AttributesOf, SpanEffect } from '../catalogue/span-effect.ts'
import { callHandler } from './messages/trace-context.ts'

/** A member of the mesh, as its last digest described it. */
export interface MemberEventDetail {
  /** Peer id of the member. */
  readonly peer: string
  readonly name: string
  readonly role: Role
}

/** A seed that answered. */
export interface SeedConnectedDetail {
  /** Multiaddr of the seed, as configured. */
  readonly address: string
  /** Peer id that answered. */
  readonly peer: string
  /** Dials of this campaign, the successful one included. */
  readonly attempts: number
}

/** A seed that did not answer in a whole campaign. The node tries again later. */
export interface SeedGiveupDetail {
  /** Multiaddr of the seed, as configured. */
  readonly address: string
  /** Peer id in that address, if it has one. */
  readonly peer?: string
  /** Dials of this campaign. */
  readonly attempts: number
}

/** A broken invariant that the census found. */
export interface LeakDetail {
  /** Name of the invariant, as in the span `mesh.leak.suspected`. */
  readonly invariant: LeakInvariant
  /** Owner of what breaks it: an owner of `inventory()`, a layer, or a registry. */
  readonly owner: string
  readonly expected: number
  readonly actual: number
}

/** Invariants that the census checks. */
export type LeakInvariant = AttributesOf<'mesh.leak.suspected'>['mesh.invariant']

/** Events of the mesh, each derived from the span of the same fact. */
export interface TracemeshEvents {
  /** A node became a member: span `mesh.member.joined`. */
  'member:joined': CustomEvent<MemberEventDetail>
  /** A member said goodbye: span `mesh.member.left`. */
  'member:left': CustomEvent<MemberEventDetail>
  /** A member was silent for too long: span `mesh.member.expired`. */
  'member:expired': CustomEvent<MemberEventDetail>
  /** A seed answered: span `mesh.seed.connected`. */
  'seed:connected': CustomEvent<SeedConnectedDetail>
  /** The last attempt of a campaign failed: span `mesh.seed.giveup`. */
  'seed:giveup': CustomEvent<SeedGiveupDetail>
  /** The census found a broken invariant: span `mesh.leak.suspected`. */
  'leak:suspected': CustomEvent<LeakDetail>
}

type EventType = keyof TracemeshEvents
type Listener = EventHandler<TracemeshEvents[EventType]>
type Options = Parameters<EventTarget['addEventListener']>[2]

/** An event before its dispatch. */
export type MeshEvent = {
  [T in EventType]: { readonly type: T; readonly detail: TracemeshEvents[T]['detail'] }
}[EventType]

/** The event of a span; undefined for a span that applications get no event for. */
function eventOf(span: SpanEffect): MeshEvent | undefined {
  switch (span.span) {
    case 'mesh.member.joined':
      return { type: 'member:joined', detail: memberOf(span.attributes) }
    case 'mesh.member.left':
      return { type: 'member:left', detail: memberOf(span.attributes) }
    case 'mesh.member.expired':
      return { type: 'member:expired', detail: memberOf(span.attributes) }
    case 'mesh.seed.connected': {
      const { 'mesh.seed.address': address, 'mesh.seed.attempt': attempts, 'mesh.peer.id': peer } = span.attributes
      return { type: 'seed:connected', detail: { address, peer, attempts } }
    }
    case 'mesh.seed.giveup': {
      const { 'mesh.seed.address': address, 'mesh.seed.attempt': attempts } = span.attributes
      const peer = /\/p2p\/([^/]+)$/.exec(address)?.[1]
      return { type: 'seed:giveup', detail: { address, ...(peer !== undefined && { peer }), attempts } }
    }
    case 'mesh.leak.suspected': {
      const { 'mesh.invariant': invariant, 'mesh.expected': expected, 'mesh.actual': actual } = span.attributes
      const owner = span.attributes['mesh.invariant.owner']
      return { type: 'leak:suspected', detail: { invariant, owner, expected, actual } }
    }
    default:
      return undefined
  }
}

type MemberAttributes = Pick<AttributesOf<'mesh.member.joined'>, 'mesh.peer.id' | 'mesh.peer.name' | 'mesh.peer.role'>

function memberOf(attributes: MemberAttributes): MemberEventDetail {
  const { 'mesh.peer.id': peer, 'mesh.peer.name': name, 'mesh.peer.role': role } = attributes
  // The attribute also has the value `guest`, and no member is one.
  return { peer, name, role: role as Role }
}

/**
 * The events of a node. Node.js ends the process when a listener of an `EventTarget` throws, so each listener has a
 * guard that reports the error instead.
 */
export class MeshEvents extends TypedEventEmitter<TracemeshEvents> {
  readonly #onListenerError: (type: string, error: unknown) => void
  /** The guard of each listener, which has to be the same when the application removes the listener. */
  readonly #guards = new WeakMap<Listener, (event: TracemeshEvents[EventType]) => void>()

  constructor(onListenerError: (type: string, error: unknown) => void) {
    super()
    this.#onListenerError = onListenerError
  }

  /**
   * Dispatches the event of a span, if it has one, once the node has performed the other effects of what happened: a
   * listener sees the state after it.
   */
  dispatchOf(span: SpanEffect): void {
    const event = eventOf(span)
    if (event === undefined || this.listenerCount(event.type) === 0) return
    queueMicrotask(() => this.safeDispatchEvent(event.type, { detail: event.detail }))
  }

  override addEventListener<K extends EventType>(
    type: K,
    listener: EventHandler<TracemeshEvents[K]> | null,
    options?: Options,
  ): void {
    if (listener !== null) super.addEventListener(type, this.#guardOf(listener as Listener), options)
  }

  override removeEventListener(type: string, listener?: EventHandler<never> | null, options?: Options): void {
    // `once` removes the guard itself.
    const registration = listener && (this.#guards.get(listener as Listener) ?? (listener as EventHandler<Event>))
    super.removeEventListener(type as EventType, registration ?? undefined, options)
  }

  #guardOf(listener: Listener): (event: TracemeshEvents[EventType]) => void {
    const existing = this.#guards.get(listener)
    if (existing !== undefined) return existing
    const guard = (event: TracemeshEvents[EventType]): void => {
      const call = () => (typeof listener === 'function' ? listener(event) : listener.handleEvent(event))
      callHandler(undefined, call, (error) => this.#onListenerError(event.type, error))
    }
    this.#guards.set(listener, guard)
    return guard
  }
}
