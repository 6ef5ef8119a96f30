import { emitSpan, type SpanEffect } from '../catalogue/span-effect.ts'
import { MeshError } from '../core/errors.ts'
import type { Crossing } from '../core/events.ts'
import { limits } from '../core/limits.ts'
import type { Clock, Random } from '../core/machine.ts'
import { messagingAttributes } from '../core/messaging.ts'
import type { OwnedMap } from '../core/owned-map.ts'
import type { Owner } from '../core/owner.ts'
import { spanIn, type TraceRef } from '../core/trace.ts'
import type { GossipMessage, PubSub } from './components.ts'
import { checkSize, decodeMessage, encodeMessage, type Message } from './envelope.ts'
import type {
  MeshMessage,
  MessageHandler,
  MessageRecord,
  Published,
  PublishOptions,
  SubscribeOptions,
} from './message.ts'
import { Pace, sampleMs } from './pace.ts'
import type { OpenedCrossing } from './seal.ts'
import { activeSpan, withRemoteSpan } from './trace-context.ts'

export interface MessagesOptions {
  readonly self: string
  readonly owner: Owner
  readonly clock: Clock
  readonly random: Random
  readonly meshes: readonly string[]
  readonly pubsub: PubSub | undefined
  readonly messageBytes: number
  /** Whether a peer is a member, whose sampling is followed. */
  readonly isMember: (peer: string) => boolean
  /** Resolves when the pubsub can reach the peers that it has just met. */
  readonly waitUntilReachable: () => Promise<void>
  readonly tell: (effect: SpanEffect) => void
  /** Whether spans go anywhere: others should not link to one that never leaves. */
  readonly exports: boolean
  /** Sends a message on its way into other meshes. */
  readonly cross: (mesh: string, crossing: Crossing) => void
  readonly seal: (topic: string, body: Uint8Array, sequence: bigint, trace: TraceRef | undefined) => Promise<Crossing>
  /** Never the same twice, over restarts too. */
  readonly sequence: () => bigint
  /** The topics listened to have changed. */
  readonly topicsChanged: () => void
  /** A handler of the application threw. */
  readonly failed: (message: MeshMessage, error: unknown) => void
  /** A message has a header that cannot be read. At most once per second. */
  readonly unreadable: (topic: string, from: string, error: unknown) => void
}

interface Subscription {
  readonly handler: MessageHandler
  readonly raw: boolean
}

/** A message that arrived: as a raw handler gets it, and as the others do; they do not when it cannot be read. */
interface Arrival {
  readonly raw: MeshMessage
  readonly message: MeshMessage | undefined
  readonly id: string
  readonly sentAt?: number | undefined
}

/** Publish and subscribe for the application; on gossipsub for now, one topic per mesh and name. */
export class Messages {
  readonly #options: MessagesOptions
  readonly #subscriptions: OwnedMap<string, readonly Subscription[]>
  readonly #recent: OwnedMap<string, MessageRecord>
  readonly #published = new Pace(sampleMs)
  readonly #received = new Pace(sampleMs)
  /** Messages of others than members whose sampling is followed. */
  readonly #foreign = new Pace(sampleMs)
  readonly #unreadable = new Pace(sampleMs)

  constructor(options: MessagesOptions) {
    this.#options = options
    this.#subscriptions = options.owner.map<string, readonly Subscription[]>({
      name: 'subscriptions',
      capacity: limits.topics,
      expiry: { event: 'its last handler unsubscribes' },
      release: (_, topic, reason) => {
        if (reason !== 'replaced') this.#leave(topic)
      },
    })
    this.#recent = options.owner.map<string, MessageRecord>({
      name: 'messages',
      capacity: limits.messageRing,
      expiry: { event: 'newer messages' },
      release: () => {},
    })
  }

  start(): void {
    const { pubsub, owner } = this.#options
    if (pubsub === undefined) return
    const heard = (event: CustomEvent<GossipMessage>) => this.#heard(event.detail)
    pubsub.addEventListener('message', heard)
    owner.adopt('message listener', () => pubsub.removeEventListener('message', heard))
  }

  topics(): string[] {
    return [...this.#subscriptions.keys()]
  }

  /** Newest last. */
  recent(): MessageRecord[] {
    return [...this.#recent.values()]
  }

  /**
   * Throws MESH_MESSAGE_TOO_LARGE before anything is sent: gossipsub itself would send it and lose its stream to every
   * peer with a smaller limit, for good and without an error. What cannot be sealed to cross is published nowhere.
   */
  async publish(topic: string, data: Uint8Array, options: PublishOptions = {}): Promise<Published> {
    const { cross = false, raw = false } = options
    const { self, meshes, messageBytes, clock, random, exports, cross: send, seal } = this.#options
    checkSize(data, messageBytes)
    const mesh = meshes[0] ?? ''
    const pubsub = this.#pubsub()
    const now = clock.now()
    const active = activeSpan()
    const parent = active?.sampled ? active.ref : undefined
    const ref = exports && this.#published.take(now) ? spanIn(parent, random) : undefined
    // Not the mesh's own span where the application has one: the two may leave by different exporters.
    const carried = active === undefined ? ref : parent
    const sequence = this.#options.sequence()
    const traced = carried && { trace: carried, stamp: { sequence, sentAt: clock.wall() } }
    const payload = raw ? data : encodeMessage({ body: data, crossing: cross, ...traced }, messageBytes)
    const crossing = cross ? await seal(topic, data, sequence, carried) : undefined
    await this.#options.waitUntilReachable()
    const { recipients } = await pubsub.publish(topicName(mesh, topic), payload, { allowPublishToZeroTopicPeers: true })
    if (crossing !== undefined) send(mesh, crossing)
    const id = `${self}/${sequence}`
    this.#keep('out', topic, self, data.length, id)
    if (ref !== undefined) {
      const attributes = {
        'mesh.message.topic': topic,
        'mesh.message.id': id,
        'mesh.message.bytes': data.length,
        'mesh.message.recipients': recipients.length,
        ...messagingAttributes('send', 'publish', topic, id),
        'messaging.message.body.size': data.length,
      }
      this.#options.tell(emitSpan('mesh.message.published', attributes, { ref, parent: parent ?? null, since: now }))
    }
    return { recipients: recipients.length }
  }

  /** Returns what ends the subscription. Throws MESH_LIMIT_REACHED when there are `limits.topics` topics. */
  subscribe(topic: string, handler: MessageHandler, { raw = false }: SubscribeOptions = {}): () => void {
    const pubsub = this.#pubsub()
    const held = this.#subscriptions.get(topic)
    if (held === undefined && this.#subscriptions.size >= limits.topics) {
      throw new MeshError('MESH_LIMIT_REACHED', { limit: 'topics', value: limits.topics })
    }
    if (held === undefined) for (const name of this.#names(topic)) pubsub.subscribe(name)
    const subscription = { handler, raw }
    this.#replace(topic, [...(held ?? []), subscription])
    if (held === undefined) this.#options.topicsChanged()
    return () => this.#unsubscribe(topic, subscription)
  }

  /** A message out of another mesh; out of one of our own it was heard as it was published. */
  crossed(crossing: OpenedCrossing): void {
    const { meshes, self } = this.#options
    if (meshes.includes(crossing.originMesh) || crossing.origin === self) return
    if (!this.#subscriptions.has(crossing.topic) || this.#recent.has(crossing.id)) return
    const { topic, origin: from, hops, body, trace, id } = crossing
    const message = { topic, from, data: body, trace, hops }
    this.#deliver({ message, raw: message, id })
  }

  #heard({ from, topic: name, data, sequenceNumber }: GossipMessage): void {
    const topic = this.topics().find((one) => this.#names(one).includes(name))
    if (topic === undefined || from === undefined) return
    const origin = from.toString()
    const raw = { topic, from: origin, data, trace: undefined, hops: 0 }
    const read = this.#read(topic, origin, data)
    const message = read && { ...raw, data: read.body, trace: read.trace }
    const { stamp } = read ?? {}
    const id = `${origin}/${stamp?.sequence ?? sequenceNumber ?? ''}`
    this.#deliver({ raw, message, id, sentAt: stamp?.sentAt })
  }

  /** Undefined when it cannot be read, and where every handler wants it raw. */
  #read(topic: string, from: string, data: Uint8Array): Message | undefined {
    if (this.#subscriptions.get(topic)?.every(({ raw }) => raw)) return undefined
    try {
      return decodeMessage(data)
    } catch (error) {
      if (this.#unreadable.take(this.#options.clock.now())) this.#options.unreadable(topic, from, error)
      return undefined
    }
  }

  #deliver({ raw, message, id, sentAt }: Arrival): void {
    const { topic, from, data } = message ?? raw
    const receivers = (this.#subscriptions.get(topic) ?? []).filter((one) => one.raw || message !== undefined)
    if (receivers.length === 0) return
    this.#keep('in', topic, from, data.length, id)
    if (message !== undefined) this.#sample(message, id, sentAt)
    const sampled = message?.trace !== undefined && this.#followsSampling(from)
    for (const receiver of receivers)
      this.#call(receiver.handler, receiver.raw || message === undefined ? raw : message, sampled)
  }

  /** A guest must not be able to switch on the sampling of every application: of all guests one message a second is. */
  #followsSampling(from: string): boolean {
    const { isMember, clock } = this.#options
    return isMember(from) || this.#foreign.take(clock.now())
  }

  #sample({ topic, from, data, trace, hops }: MeshMessage, id: string, sentAt: number | undefined): void {
    const { clock } = this.#options
    if (trace === undefined || !this.#received.take(clock.now())) return
    const attributes = {
      'mesh.message.topic': topic,
      'mesh.message.id': id,
      'mesh.message.bytes': data.length,
      'mesh.message.hops': hops,
      'mesh.origin.peer': from,
      ...messagingAttributes('process', 'deliver', topic, id),
      'messaging.message.body.size': data.length,
      ...(sentAt !== undefined && { 'mesh.message.lateness_ms': Math.round(clock.wall() - sentAt) }),
    }
    this.#options.tell(emitSpan('mesh.message.received', attributes, { links: [trace] }))
  }

  #call(handler: MessageHandler, message: MeshMessage, sampled: boolean): void {
    const failed = (error: unknown) => this.#options.failed(message, error)
    try {
      const result: unknown = withRemoteSpan(message.trace, () => handler(message), sampled)
      if (result instanceof Promise) result.catch(failed)
    } catch (error) {
      failed(error)
    }
  }

  #keep(direction: MessageRecord['direction'], topic: string, peer: string, bytes: number, id: string): void {
    const { clock } = this.#options
    this.#recent.set(id, { at: clock.wall(), direction, topic, peer, bytes }, clock.now())
  }

  #unsubscribe(topic: string, subscription: Subscription): void {
    const held = this.#subscriptions.get(topic)
    if (held === undefined) return
    const left = held.filter((one) => one !== subscription)
    if (left.length > 0) this.#replace(topic, left)
    else {
      this.#subscriptions.delete(topic)
      this.#options.topicsChanged()
    }
  }

  /** Another list of handlers for the topic; the topic itself stays subscribed. */
  #replace(topic: string, handlers: readonly Subscription[]): void {
    this.#subscriptions.set(topic, handlers, this.#options.clock.now())
  }

  /** Services stop side by side: gossipsub may have stopped, and so have left, already. */
  #leave(topic: string): void {
    try {
      for (const name of this.#names(topic)) this.#options.pubsub?.unsubscribe(name)
    } catch {}
  }

  #names(topic: string): string[] {
    return this.#options.meshes.map((mesh) => topicName(mesh, topic))
  }

  #pubsub(): PubSub {
    const { pubsub } = this.#options
    if (pubsub !== undefined) return pubsub
    const cure = 'add `gossipsub()` of @libp2p/gossipsub to its services; `services.pubsub` says under which name'
    throw new MeshError('MESH_SERVICE_MISSING', { service: 'pubsub', cure })
  }
}

/** The gossipsub topic of a topic: guests subscribe to this name. */
export function topicName(mesh: string, topic: string): string {
  return `${mesh}/${topic}`
}
