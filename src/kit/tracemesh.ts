import type { TypedEventTarget } from '@libp2p/interface'
import type { Inventory } from '../core/owner.ts'
import type { ApplicationRegistry, RegistryOptions, WatchOptions } from './application-registries.ts'
import type { TracemeshEvents } from './mesh-events.ts'
import type { MessageHandler, Published, PublishOptions, SubscribeOptions } from './messages/messages.ts'
import type { RequestHandler, RequestOptions } from './messages/requests.ts'
import type { Topology } from './views.ts'

/**
 * A node of a mesh, as an application uses it: `libp2p.services.tracemesh`. libp2p starts and stops it. After a stop
 * and another start the application has to subscribe and respond again.
 *
 * It is an `EventTarget` with the events of `TracemeshEvents`. Event listeners survive a stop and restart; one that
 * throws does not disturb the mesh, and its error is in the log.
 *
 * Every other method throws `MESH_NOT_STARTED` before the start and after the stop; one that returns a promise rejects.
 *
 * @example
 *
 * ```typescript
 * const mesh = libp2p.services.tracemesh
 * mesh.addEventListener('member:joined', ({ detail }) => console.log(`${detail.name} joined`))
 * mesh.addEventListener('seed:giveup', ({ detail }) => console.log(`${detail.address} does not answer`))
 * ```
 */
export interface Tracemesh extends TypedEventTarget<TracemeshEvents> {
  /** Peer id of this node. */
  readonly peer: string

  /** Number of connected peers, guests included; 0 while the node is stopped. */
  readonly peers: number

  /**
   * Sends a message to all subscribers of a topic in this mesh.
   *
   * The message carries the active span of the application, if it is sampled. It waits for up to two seconds for
   * neighbours whose gossip streams are still opening.
   *
   * @throws MeshError `MESH_MESSAGE_TOO_LARGE` for more bytes than the option `messageBytes`.
   * @throws MeshError `MESH_SERVICE_MISSING` without gossipsub.
   * @throws The reason of `options.signal`, an `AbortError` by default, if it aborts before gossipsub has the message.
   *
   * @example
   *
   * ```typescript
   * const { recipients } = await mesh.publish('news', new TextEncoder().encode('hello'))
   * if (recipients === 0) console.log('no neighbour subscribes to the topic')
   * ```
   */
  publish(topic: string, data: Uint8Array, options?: PublishOptions): Promise<Published>

  /**
   * Calls the handler with every message on a topic, within the trace of its publish.
   *
   * @returns A function that ends the subscription.
   *
   * @throws MeshError `MESH_SERVICE_MISSING` without gossipsub.
   * @throws MeshError `MESH_LIMIT_REACHED` at 256 topics.
   *
   * @example
   *
   * ```typescript
   * const unsubscribe = mesh.subscribe('news', ({ from, data }) => {
   *   console.log(from, new TextDecoder().decode(data))
   * })
   * ```
   */
  subscribe(topic: string, handler: MessageHandler, options?: SubscribeOptions): () => void

  /**
   * Sends a request to one peer with a link, and resolves with its response.
   *
   * @throws MeshError `MESH_NO_LINK` if this node has no link to the peer.
   * @throws MeshError `MESH_MESSAGE_TOO_LARGE` for more bytes than the option `messageBytes`.
   * @throws MeshError `MESH_REQUEST_FAILED` if the peer has no handler, its handler failed, or no response arrived in
   * time; `detail.cause` is the reason.
   * @throws The reason of `options.signal`, an `AbortError` by default, if it aborts before the response.
   *
   * @example
   *
   * ```typescript
   * const [sum] = await mesh.request(peer, 'sum', Uint8Array.of(1, 2, 3), { timeoutMs: 2_000 })
   * ```
   *
   * @example With a signal
   *
   * ```typescript
   * const controller = new AbortController()
   * button.onclick = () => controller.abort()
   * await mesh.request(peer, 'search', query, { signal: controller.signal })
   * ```
   */
  request(peer: string, topic: string, data: Uint8Array, options?: RequestOptions): Promise<Uint8Array>

  /**
   * Answers the requests of members on a topic. The handler runs within the trace of each request; if it throws, the
   * requester gets the message of the error. A second handler of a topic replaces the first, and the handler of a 257th
   * topic the least recent one.
   *
   * @returns A function that removes the handler.
   *
   * @example
   *
   * ```typescript
   * mesh.respond('sum', ({ data }) => Uint8Array.of(data.reduce((a, b) => a + b, 0)))
   * ```
   */
  respond(topic: string, handler: RequestHandler): () => void

  /**
   * Multiaddrs at which other nodes dial this one, with its peer id.
   *
   * @example
   *
   * ```typescript
   * for (const address of mesh.addresses()) console.log(`seed: ${address}`)
   * ```
   */
  addresses(): readonly string[]

  /**
   * What this node knows of its mesh: its peers with their links, all members, and the subscribers of each topic.
   *
   * @example
   *
   * ```typescript
   * const names = mesh.topology().members.map(({ name }) => name)
   * ```
   */
  topology(): Topology

  /**
   * Registries, timers and resources that this node owns, with their counts and bounds.
   *
   * @example
   *
   * ```typescript
   * const full = mesh.inventory().registries.filter(({ size, capacity }) => size === capacity)
   * ```
   */
  inventory(): Inventory

  /**
   * Creates a bounded map for the application, whose counts are in every census as `mesh.audit.application`: a leak of
   * the application then has a name, too. The stop of the node releases all entries and closes it.
   *
   * @param name 1 to 64 letters, digits, dots, dashes or underscores; not the name of another one.
   *
   * @throws MeshError `MESH_CONFIG_INVALID` for a taken name, or a capacity or `idleMs` that is not positive and finite.
   * @throws MeshError `MESH_LIMIT_REACHED` at 32 collections.
   *
   * @example
   *
   * ```typescript
   * const sessions = mesh.registry<string, Session>('sessions', {
   *   capacity: 1_000,
   *   expiry: { idleMs: 600_000 },
   *   release: (session) => session.close(),
   * })
   * sessions.set('alice', new Session())
   * ```
   */
  registry<K, V extends {}>(name: string, options: RegistryOptions<K, V>): ApplicationRegistry<K, V>

  /**
   * Counts a collection that the application has already, in every census as `mesh.audit.application`.
   *
   * @param name As for `registry`.
   * @param size Current number of entries. An error that it throws is logged, and counts as 0.
   *
   * @returns A function that ends the watch; the stop of the node ends it, too.
   *
   * @throws MeshError `MESH_CONFIG_INVALID` for a taken name, or a capacity that is not positive and finite.
   * @throws MeshError `MESH_LIMIT_REACHED` at 32 collections.
   *
   * @example
   *
   * ```typescript
   * const cache = new Map()
   * mesh.watch('cache', () => cache.size, { capacity: 10_000 })
   * ```
   */
  watch(name: string, size: () => number, options?: WatchOptions): () => void
}
