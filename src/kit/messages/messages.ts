import { emitSpan, type SpanEffect } from '../../catalogue/span-effect.ts'
import { MeshError } from '../../core/errors.ts'
import type { Crossing } from '../../core/events.ts'
import { limits } from '../../core/limits.ts'
import type { Clock, Random } from '../../core/machine.ts'
import type { OwnedMap } from '../../core/owned-map.ts'
import type { Owner } from '../../core/owner.ts'
import { messagingAttributes } from '../../core/spans/relay.ts'
import { spanIn, type TraceRef } from '../../core/trace.ts'
import { RateLimiter, sampleMs } from '../clock.ts'
import type { GossipMessage, PubSub } from '../components.ts'
import { checkSize, decodeMessage, encodeMessage, type Message } from './envelope.ts'
import type { OpenedCrossing } from './seal.ts'
import { activeSpan, callHandler } from './trace-context.ts'

interface MessagesOptions {
  readonly self: string
  readonly owner: Owner
  readonly clock: Clock
  readonly random: Random
  readonly meshes: readonly string[]
  readonly pubsub: PubSub | undefined
  readonly messageBytes: number
  /** Whether a peer is a member: handlers follow the sampling of members. */
  readonly isMember: (peer: string) => boolean
  /** Resolves when the pubsub can reach newly connected peers. */
  readonly waitUntilReachable: (signal?: AbortSignal) => Promise<void>
  readonly emitSpan: (effect: SpanEffect) => void
  /** Whether the node exports spans: other spans should not link to one that is never exported. */
  readonly exportsSpans: boolean
  /** Sends a message into other meshes. */
  readonly sendCrossing: (mesh: string, crossing: Crossing) => void
  readonly seal: (topic: string, body: Uint8Array, sequence: bigint, trace: TraceRef | undefined) => Promise<Crossing>
  /** Unique per identity, across restarts. */
  readonly nextSequence: () => bigint
  /** The subscribed topics have changed. */
  readonly onTopicsChange: () => void
  /** A handler of the application threw. */
  readonly onHandlerError: (message: MeshMessage, error: unknown) => void
  /** The node could not decode the header of a message. At most once per second. */
  readonly onUnreadable: (topic: string, from: string, error: unknown) => void
}

interface Subscription {
  readonly handler: MessageHandler
  readonly isRaw: boolean
}

/** A message from another node. */
interface ReceivedMessage {
  /** As raw handlers get it: the payload, with the header of a member. */
  readonly payload: MeshMessage
  /** As other handlers get it; undefined if its header could not be decoded, or if every handler is raw. */
  readonly message: MeshMessage | undefined
  readonly id: string
  readonly sentAt?: number | undefined
}

/** Publish and subscribe for the application, on gossipsub: one gossipsub topic per mesh and topic. */
export class Messages {
  readonly #options: MessagesOptions
  readonly #subscriptions: OwnedMap<string, readonly Subscription[]>
  readonly #recent: OwnedMap<string, MessageRecord>
  readonly #publishRate = new RateLimiter(sampleMs)
  readonly #receiveRate = new RateLimiter(sampleMs)
  /** Limits the non-members' messages whose sampling handlers follow. */
  readonly #guestTraceRate = new RateLimiter(sampleMs)
  readonly #unreadableRate = new RateLimiter(sampleMs)

  constructor(options: MessagesOptions) {
    this.#options = options
    this.#subscriptions = options.owner.map<string, readonly Subscription[]>({
      name: 'subscriptions',
      capacity: limits.topics,
      expiry: { event: 'its last handler unsubscribes' },
      release: (_, topic, reason) => {
        if (reason !== 'replaced') this.#unsubscribeAll(topic)
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
    const onMessage = (event: CustomEvent<GossipMessage>) => this.#onGossip(event.detail)
    pubsub.addEventListener('message', onMessage)
    owner.adopt('message listener', () => pubsub.removeEventListener('message', onMessage))
  }

  topics(): string[] {
    return [...this.#subscriptions.keys()]
  }

  /** Gossipsub's topics that it has subscribed to. */
  gossipTopics(): readonly string[] {
    return this.topics().flatMap((topic) => this.#topicNames(topic))
  }

  /** Newest last. */
  recent(): MessageRecord[] {
    return [...this.#recent.values()]
  }

  /**
   * Throws MESH_MESSAGE_TOO_LARGE before it sends anything: `GossipStreams` would withhold the message from every peer
   * with a smaller limit. It does not publish a message that it cannot seal.
   */
  async publish(topic: string, data: Uint8Array, options: PublishOptions = {}): Promise<Published> {
    const { cross = false, raw: isRaw = false, signal } = options
    signal?.throwIfAborted()
    const { self, meshes, messageBytes, clock, random, exportsSpans, sendCrossing, seal } = this.#options
    checkSize(data, messageBytes)
    const mesh = meshes[0] ?? ''
    const pubsub = this.#requirePubSub()
    const now = clock.now()
    const active = activeSpan()
    const parent = active?.isSampled ? active.ref : undefined
    const ref = exportsSpans && this.#publishRate.take(now) ? spanIn(parent, random) : undefined
    // The application's span wins over the mesh's: different exporters may export the two.
    const traceSent = active === undefined ? ref : parent
    const sequence = this.#options.nextSequence()
    const header = traceSent && { trace: traceSent, stamp: { sequence, sentAt: clock.wall() } }
    const payload = isRaw ? data : encodeMessage({ body: data, crossing: cross, ...header }, messageBytes)
    const crossing = cross ? await seal(topic, data, sequence, traceSent) : undefined
    await this.#options.waitUntilReachable(signal)
    signal?.throwIfAborted()
    const { recipients } = await pubsub.publish(topicName(mesh, topic), payload, { allowPublishToZeroTopicPeers: true })
    if (crossing !== undefined) sendCrossing(mesh, crossing)
    const id = `${self}/${sequence}`
    this.#record('out', topic, self, data.length, id)
    if (ref !== undefined) {
      const attributes = {
        'mesh.message.topic': topic,
        'mesh.message.id': id,
        'mesh.message.bytes': data.length,
        'mesh.message.recipients': recipients.length,
        ...messagingAttributes('send', 'publish', topic, id),
        'messaging.message.body.size': data.length,
      }
      this.#options.emitSpan(
        emitSpan('mesh.message.published', attributes, { ref, parent: parent ?? null, since: now }),
      )
    }
    return { recipients: recipients.length }
  }

  /** Returns a function that ends the subscription. Throws MESH_LIMIT_REACHED when there are `limits.topics` topics. */
  subscribe(topic: string, handler: MessageHandler, { raw: isRaw = false }: SubscribeOptions = {}): () => void {
    const pubsub = this.#requirePubSub()
    const subscriptions = this.#subscriptions.get(topic)
    if (subscriptions === undefined && this.#subscriptions.size >= limits.topics) {
      throw new MeshError('MESH_LIMIT_REACHED', { limit: 'topics', value: limits.topics })
    }
    if (subscriptions === undefined) for (const name of this.#topicNames(topic)) pubsub.subscribe(name)
    const subscription = { handler, isRaw }
    this.#setHandlers(topic, [...(subscriptions ?? []), subscription])
    if (subscriptions === undefined) this.#options.onTopicsChange()
    return () => this.#unsubscribe(topic, subscription)
  }

  /** Delivers a message from another mesh; one from an own mesh has arrived over gossip already. */
  deliverCrossing(crossing: OpenedCrossing): void {
    const { meshes, self } = this.#options
    if (meshes.includes(crossing.originMesh) || crossing.origin === self) return
    if (!this.#subscriptions.has(crossing.topic) || this.#recent.has(crossing.id)) return
    const { topic, origin: from, hops, body, trace, id } = crossing
    const message = { topic, from, data: body, trace, hops }
    this.#deliver({ message, payload: message, id })
  }

  #onGossip({ from, topic: name, data, sequenceNumber }: GossipMessage): void {
    const topic = this.topics().find((one) => this.#topicNames(one).includes(name))
    if (topic === undefined || from === undefined) return
    const origin = from.toString()
    const payload = { topic, from: origin, data, trace: undefined, hops: 0 }
    const envelope = this.#decode(topic, origin, data)
    const message = envelope && { ...payload, data: envelope.body, trace: envelope.trace }
    const { stamp } = envelope ?? {}
    const id = `${origin}/${stamp?.sequence ?? sequenceNumber ?? ''}`
    this.#deliver({ payload, message, id, sentAt: stamp?.sentAt })
  }

  /** Undefined if decoding fails or every handler is raw. */
  #decode(topic: string, from: string, data: Uint8Array): Message | undefined {
    if (this.#subscriptions.get(topic)?.every(({ isRaw }) => isRaw)) return undefined
    try {
      return decodeMessage(data)
    } catch (error) {
      if (this.#unreadableRate.take(this.#options.clock.now())) this.#options.onUnreadable(topic, from, error)
      return undefined
    }
  }

  #deliver({ payload, message, id, sentAt }: ReceivedMessage): void {
    const { topic, from, data } = message ?? payload
    const all = this.#subscriptions.get(topic) ?? []
    const subscriptions = all.filter(({ isRaw }) => isRaw || message !== undefined)
    if (subscriptions.length === 0) return
    this.#record('in', topic, from, data.length, id)
    if (message !== undefined) this.#emitReceived(message, id, sentAt)
    const isSampled = message?.trace !== undefined && this.#allowsSampling(from)
    for (const { handler, isRaw } of subscriptions) {
      const delivery = isRaw || message === undefined ? payload : message
      const onError = (error: unknown) => this.#options.onHandlerError(delivery, error)
      callHandler(delivery.trace, () => handler(delivery), onError, isSampled)
    }
  }

  /** Guests must not control the sampling of applications: handlers follow one message a second of all guests. */
  #allowsSampling(from: string): boolean {
    const { isMember, clock } = this.#options
    return isMember(from) || this.#guestTraceRate.take(clock.now())
  }

  #emitReceived({ topic, from, data, trace, hops }: MeshMessage, id: string, sentAt: number | undefined): void {
    const { clock } = this.#options
    if (trace === undefined || !this.#receiveRate.take(clock.now())) return
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
    this.#options.emitSpan(emitSpan('mesh.message.received', attributes, { links: [trace] }))
  }

  #record(direction: MessageRecord['direction'], topic: string, peer: string, bytes: number, id: string): void {
    const { clock } = this.#options
    this.#recent.set(id, { at: clock.wall(), direction, topic, peer, bytes }, clock.now())
  }

  #unsubscribe(topic: string, subscription: Subscription): void {
    const subscriptions = this.#subscriptions.get(topic)
    if (subscriptions === undefined) return
    const remaining = subscriptions.filter((one) => one !== subscription)
    if (remaining.length > 0) this.#setHandlers(topic, remaining)
    else {
      this.#subscriptions.delete(topic)
      this.#options.onTopicsChange()
    }
  }

  /** Replaces the handlers of the topic; the topic itself stays subscribed. */
  #setHandlers(topic: string, handlers: readonly Subscription[]): void {
    this.#subscriptions.set(topic, handlers, this.#options.clock.now())
  }

  /** libp2p stops services in parallel: gossipsub may have stopped, and left its topics, already. */
  #unsubscribeAll(topic: string): void {
    try {
      for (const name of this.#topicNames(topic)) this.#options.pubsub?.unsubscribe(name)
    } catch {}
  }

  #topicNames(topic: string): string[] {
    return this.#options.meshes.map((mesh) => topicName(mesh, topic))
  }

  #requirePubSub(): PubSub {
    const { pubsub } = this.#options
    if (pubsub !== undefined) return pubsub
    const cure = 'add `gossipsub()` of @libp2p/gossipsub to its services; `services.pubsub` says under which name'
    throw new MeshError('MESH_SERVICE_MISSING', { service: 'pubsub', cure })
  }
}

/** The gossipsub topic of a mesh topic: guests subscribe to this name. */
export function topicName(mesh: string, topic: string): string {
  return `${mesh}/${topic}`
}

/** A message as the application gets it. */
export interface MeshMessage {
  readonly topic: string
  /** Peer id of the publisher, verified by its signature. */
  readonly from: string
  readonly data: Uint8Array
  /** The sampled span of the publish: the active span while a handler runs. Raw messages carry none. */
  readonly trace: TraceRef | undefined
  /** Number of bridges on its way. */
  readonly hops: number
}

/** May be async: a rejected promise counts as a thrown error. */
export type MessageHandler = (message: MeshMessage) => void

export interface PublishOptions {
  /**
   * Also publishes to the meshes behind bridges.
   *
   * @default false
   */
  readonly cross?: boolean
  /**
   * Publishes the body without the header, for guests that do not know it. The message carries no trace.
   *
   * @default false
   */
  readonly raw?: boolean
  /**
   * Aborts the publish while the message waits for neighbours: it rejects with the reason of the signal, and nothing is
   * sent. Once gossipsub has the message the signal has no effect.
   */
  readonly signal?: AbortSignal | undefined
}

export interface SubscribeOptions {
  /**
   * Delivers each payload as published; the header of a member's message stays in front of the body.
   *
   * @default false
   */
  readonly raw?: boolean
}

export interface Published {
  /** Peers of the first hop: 0 means that no peer received it. */
  readonly recipients: number
}

/** One of the last messages, for display. */
export interface MessageRecord {
  readonly at: number
  readonly direction: 'in' | 'out'
  readonly topic: string
  readonly peer: string
  readonly bytes: number
}
