import type { Connection, Libp2pEvents, MessageStreamEvents, TypedEventTarget } from '@libp2p/interface'
import type { TransportManager } from '@libp2p/interface-internal'
import type { Owner } from '../../core/owner.ts'
import { type ListenerTarget, signalsIn } from '../../evidence/listeners.ts'
import type { ListenerTargets } from '../../evidence/process-evidence.ts'
import type { PubSub } from '../components.ts'

interface Components {
  readonly events: TypedEventTarget<Libp2pEvents>
  readonly connectionManager: { getConnections(): readonly Connection[] }
  readonly transportManager: Pick<TransportManager, 'getListeners'>
}

/** A list that does not compile unless it has all types. */
const typesOf = <Events>(types: Record<keyof Events, true>): readonly string[] => Object.keys(types)

const libp2pTypes = typesOf<Libp2pEvents>({
  'peer:discovery': true,
  'peer:connect': true,
  'peer:disconnect': true,
  'peer:reconnect-failure': true,
  'peer:identify': true,
  'peer:update': true,
  'self:peer:update': true,
  'transport:listening': true,
  'transport:close': true,
  'connection:prune': true,
  'connection:open': true,
  'connection:close': true,
  'certificate:provision': true,
  'certificate:renew': true,
  start: true,
  stop: true,
})

const streamTypes = typesOf<MessageStreamEvents>({
  message: true,
  drain: true,
  close: true,
  remoteCloseWrite: true,
  end: true,
  idle: true,
})

const listenerTypes = ['connection', 'listening', 'error', 'close']

/** Those of gossipsub, whose package applications bring themselves. */
const pubsubTypes = [
  'message',
  'subscription-change',
  'gossipsub:heartbeat',
  'gossipsub:message',
  'gossipsub:graft',
  'gossipsub:prune',
]

/**
 * Interval of searches for the signals of libp2p: its parts have theirs from the start, and a search leaves some 250 KB
 * of garbage. Milliseconds.
 */
const searchMs = 600_000

/** Lists the event targets that outlive a call, and that this node can reach. */
export class ListenerTargetReader {
  readonly #components: Components
  readonly #pubsub: PubSub | undefined
  readonly #owner: Owner
  #signals: readonly ListenerTarget[] = []
  #searchAt = -Infinity

  constructor(components: Components, pubsub: PubSub | undefined, owner: Owner) {
    this.#components = components
    this.#pubsub = pubsub
    this.#owner = owner
  }

  read(now: number): ListenerTargets {
    const { events, transportManager, connectionManager } = this.#components
    const listeners = transportManager.getListeners()
    const pubsub = this.#pubsub
    const lasting = [
      { name: 'libp2p', target: events, types: libp2pTypes },
      ...(pubsub instanceof EventTarget ? [{ name: 'pubsub', target: pubsub, types: pubsubTypes }] : []),
      ...listeners.map((target) => ({ name: 'listener', target, types: listenerTypes })),
    ]
    const connections = connectionManager
      .getConnections()
      .flatMap((connection) => [
        { name: 'connection', target: connection, types: streamTypes },
        ...connection.streams.map((target) => ({ name: 'stream', target, types: streamTypes })),
      ])
    const owned = Array.from(this.#owner.signals(), ([name, target]) => ({ name, target, types: ['abort'] }))
    if (now >= this.#searchAt) this.#search(now)
    return { lasting, connections, signals: [...owned, ...this.#signals] }
  }

  #search(now: number): void {
    const listeners = this.#components.transportManager.getListeners()
    this.#searchAt = now + searchMs
    this.#signals = [
      ...signalsIn('libp2p', libp2pParts(this.#components)),
      ...listeners.flatMap((listener) => signalsIn('listener', listener)),
    ]
  }
}

/** libp2p passes its services a proxy, which keeps the services by name in `components`. */
function libp2pParts(components: object): object {
  const parts: unknown = Object.getOwnPropertyDescriptor(components, 'components')?.value
  return typeof parts === 'object' && parts !== null ? parts : components
}
