import type { Connection, Libp2pEvents, PeerId, Stream, Topology, TypedEventTarget } from '@libp2p/interface'
import type { Registrar } from '@libp2p/interface-internal'
import type { Clock } from '../../core/machine.ts'
import type { OwnedMap } from '../../core/owned-map.ts'
import type { Owner } from '../../core/owner.ts'
import { replaceMethod } from '../replace-method.ts'

export interface StreamGateOptions {
  readonly registrar: Pick<Registrar, 'getHandler' | 'register'>
  readonly events: TypedEventTarget<Libp2pEvents>
  readonly owner: Owner
  readonly clock: Clock
  /** Protocols that need no admission: identify, and the one that carries the credential. */
  readonly freeProtocols: readonly string[]
  /** Most peers at the gate, admitted ones included. */
  readonly capacity: number
}

/** One peer with a connection. */
interface Visitor {
  isAdmitted: boolean
  /** Notifications that its admission releases: at most one per topology and connection. */
  notifications: (() => void)[]
  streams: WaitingStream[]
}

interface WaitingStream {
  readonly run: () => void
  readonly abort: (reason: string) => void
}

/** An admitted peer's first streams may overtake the frame that admits it, by a round trip or two. */
const waitMs = 2_000
/** Streams of one peer that wait. gossipsub opens one; guess. */
const maxWaiting = 8
/** Topologies that wait to learn of one peer: one for each protocol of libp2p's services. Guess. */
const maxNotifications = 64

/**
 * Keeps a peer away from all protocols of this libp2p, those of other services included, until the mesh admits it:
 * streams that it opens wait, and no service learns that it is connected, so none opens a stream to it.
 *
 * libp2p's own `use` is no such place: it appends the handler of each inbound stream to the list of middleware.
 */
export class StreamGate {
  readonly #options: StreamGateOptions
  readonly #visitors: OwnedMap<string, Visitor>

  constructor(options: StreamGateOptions) {
    this.#options = options
    this.#visitors = options.owner.map({
      name: 'visitors',
      capacity: options.capacity,
      expiry: { event: 'disconnect' },
      release: ({ streams }) => {
        for (const { abort } of streams) abort('the peer has disconnected')
      },
    })
  }

  /** Before any service registers a topology. */
  start(): void {
    const { registrar, events, owner } = this.#options
    const onDisconnect = ({ detail }: CustomEvent<PeerId>) => this.#visitors.delete(detail.toString())
    events.addEventListener('peer:disconnect', onDisconnect)
    const restores = [
      replaceMethod(registrar, 'getHandler', (getHandler) => (protocol) => {
        const record = getHandler(protocol)
        if (this.#options.freeProtocols.includes(protocol)) return record
        return { ...record, handler: (stream, connection) => this.#enter(stream, connection, record.handler) }
      }),
      replaceMethod(
        registrar,
        'register',
        (register) => (protocol, topology, options) => register(protocol, this.#guarded(topology), options),
      ),
      () => events.removeEventListener('peer:disconnect', onDisconnect),
    ]
    owner.adopt('stream gate', () => {
      for (const restore of restores) restore()
    })
  }

  isAdmitted(peer: string): boolean {
    return this.#visitors.get(peer)?.isAdmitted ?? false
  }

  /** Lets a connected peer use all protocols, until it disconnects. */
  admit(peer: string): void {
    const visitor = this.#visitorOf(peer)
    if (visitor === undefined || visitor.isAdmitted) return
    visitor.isAdmitted = true
    const { notifications, streams } = visitor
    Object.assign(visitor, { notifications: [], streams: [] })
    for (const notify of notifications) notify()
    for (const { run } of streams) run()
  }

  /** Undefined if there are too many peers: then this one stays outside. */
  #visitorOf(peer: string): Visitor | undefined {
    const visitor = this.#visitors.get(peer)
    if (visitor !== undefined || this.#visitors.size >= this.#options.capacity) return visitor
    const created: Visitor = { isAdmitted: false, notifications: [], streams: [] }
    this.#visitors.set(peer, created, this.#options.clock.now())
    return created
  }

  #enter(stream: Stream, connection: Connection, handler: Handler): ReturnType<Handler> {
    const visitor = this.#visitorOf(connection.remotePeer.toString())
    if (visitor?.isAdmitted === true) return handler(stream, connection)
    const abort = (reason: string) => stream.abort(new Error(`not admitted to the mesh: ${reason}`))
    if (visitor === undefined || visitor.streams.length >= maxWaiting) {
      abort('too many wait')
      return undefined
    }
    const cancel = this.#options.owner.after(waitMs, () => {
      visitor.streams = visitor.streams.filter((one) => one !== waiting)
      abort(`not within ${waitMs} ms`)
    })
    const waiting: WaitingStream = {
      run: () => {
        cancel()
        if (stream.status === 'open') void runHandler(handler, stream, connection)
      },
      abort: (reason) => {
        cancel()
        abort(reason)
      },
    }
    visitor.streams.push(waiting)
    return undefined
  }

  #guarded(topology: Topology): Topology {
    const onConnect = (peerId: PeerId, connection: Connection) => {
      const visitor = this.#visitorOf(peerId.toString())
      if (visitor?.isAdmitted === true) return topology.onConnect?.(peerId, connection)
      if (visitor === undefined || visitor.notifications.length >= maxNotifications) return undefined
      visitor.notifications.push(() => {
        if (connection.status === 'open') void Promise.resolve(topology.onConnect?.(peerId, connection)).catch(() => {})
      })
      return undefined
    }
    return {
      ...topology,
      onConnect,
      // Also for a peer of whose connection the service never learned: libp2p itself makes no difference.
      onDisconnect: (peerId) => topology.onDisconnect?.(peerId),
    }
  }
}

type Handler = ReturnType<Registrar['getHandler']>['handler']

/** As libp2p does: a handler that fails costs its stream. */
async function runHandler(handler: Handler, stream: Stream, connection: Connection): Promise<void> {
  try {
    await handler(stream, connection)
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error(String(error)))
  }
}
