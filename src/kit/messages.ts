import { trace } from '@opentelemetry/api'
import { type Tell, tell } from '../catalogue/tell.ts'
import { MeshError } from '../core/errors.ts'
import type { Crossing } from '../core/events.ts'
import { limits } from '../core/limits.ts'
import type { Clock, Random } from '../core/machine.ts'
import type { OwnedMap } from '../core/owned-map.ts'
import type { Owner } from '../core/owner.ts'
import { childOf, newTrace, type TraceRef } from '../core/trace.ts'
import type { GossipMessage, PubSub } from './components.ts'
import { decodeMessage, encodeMessage } from './envelope.ts'
import type { OpenedCrossing } from './seal.ts'

/** A message as the application gets it. */
export interface MeshMessage {
  readonly topic: string
  /** Peer id of whoever published it; its signature was checked. */
  readonly from: string
  readonly data: Uint8Array
  /** Where it was published: to link to, not to be a child of. */
  readonly trace: TraceRef | undefined
  /** Bridges passed. */
  readonly hops: number
}

export type MessageHandler = (message: MeshMessage) => void

export interface PublishOptions {
  /** Also to the meshes that a bridge leads to. */
  readonly cross?: boolean
}

export interface Published {
  /** Peers the first hop went to: 0 means that nobody heard it. */
  readonly recipients: number
}

/** One of the last messages, for people. */
export interface MessageRecord {
  readonly at: number
  readonly direction: 'in' | 'out'
  readonly topic: string
  readonly peer: string
  readonly bytes: number
}

export interface MessagesOptions {
  readonly self: string
  readonly owner: Owner
  readonly clock: Clock
  readonly random: Random
  readonly meshes: readonly string[]
  readonly pubsub: PubSub | undefined
  readonly messageBytes: number
  /** Resolves when the pubsub can reach the peers that it has just met. */
  readonly whole: () => Promise<void>
  readonly tell: (effect: Tell) => void
  /** Sends a message on its way into other meshes. */
  readonly cross: (mesh: string, crossing: Crossing) => void
  readonly seal: (topic: string, body: Uint8Array, sequence: bigint, trace: TraceRef | undefined) => Promise<Crossing>
  /** Never the same twice, over restarts too. */
  readonly sequence: () => bigint
  /** The topics listened to have changed. */
  readonly topicsChanged: () => void
  /** A handler of the application threw. */
  readonly failed: (topic: string, error: unknown) => void
}

/** Spans of messages are samples: this far apart at least, in milliseconds, for each direction and all topics together. */
const sampleMs = 1_000

/** Publish and subscribe for the application; on gossipsub for now, one topic per mesh and name. */
export class Messages {
  readonly #options: MessagesOptions
  readonly #subscriptions: OwnedMap<string, readonly MessageHandler[]>
  readonly #recent: OwnedMap<string, MessageRecord>
  #publishedAt = -Infinity
  #receivedAt = -Infinity

  constructor(options: MessagesOptions) {
    this.#options = options
    this.#subscriptions = options.owner.map<string, readonly MessageHandler[]>({
      name: 'subscriptions',
      capacity: limits.topics,
      leavesBy: { event: 'its last handler unsubscribes' },
      release: (_, topic, reason) => {
        if (reason !== 'replaced') this.#leave(topic)
      },
    })
    this.#recent = options.owner.map<string, MessageRecord>({
      name: 'messages',
      capacity: limits.messageRing,
      leavesBy: { event: 'newer messages' },
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
  async publish(topic: string, data: Uint8Array, { cross = false }: PublishOptions = {}): Promise<Published> {
    const { self, meshes, messageBytes, clock, cross: send, seal } = this.#options
    const mesh = meshes[0] ?? ''
    const pubsub = this.#pubsub()
    const now = clock.now()
    const active = trace.getActiveSpan()?.spanContext()
    const sampled = now - this.#publishedAt >= sampleMs
    const ref = sampled ? this.#ref(active) : active
    const sequence = this.#options.sequence()
    const traced = ref && { trace: ref, stamp: { sequence, sentAt: clock.wall() } }
    const body = encodeMessage({ body: data, crossing: cross, ...traced }, messageBytes)
    if (sampled) this.#publishedAt = now
    const crossing = cross ? await seal(topic, data, sequence, ref) : undefined
    await this.#options.whole()
    const { recipients } = await pubsub.publish(topicName(mesh, topic), body, { allowPublishToZeroTopicPeers: true })
    if (crossing !== undefined) send(mesh, crossing)
    const id = `${self}/${sequence}`
    this.#keep('out', topic, self, data.length, id)
    if (sampled && ref !== undefined) {
      const attributes = {
        'mesh.message.topic': topic,
        'mesh.message.id': id,
        'mesh.message.bytes': data.length,
        'mesh.message.recipients': recipients.length,
      }
      this.#options.tell(tell('mesh.message.published', attributes, { ref, parent: active ?? null, since: now }))
    }
    return { recipients: recipients.length }
  }

  /** Returns what ends the subscription. Throws MESH_LIMIT_REACHED when there are `limits.topics` topics. */
  subscribe(topic: string, handler: MessageHandler): () => void {
    const pubsub = this.#pubsub()
    const held = this.#subscriptions.get(topic)
    if (held === undefined && this.#subscriptions.size >= limits.topics) {
      throw new MeshError('MESH_LIMIT_REACHED', { limit: 'topics', value: limits.topics })
    }
    if (held === undefined) for (const name of this.#names(topic)) pubsub.subscribe(name)
    this.#replace(topic, [...(held ?? []), handler])
    if (held === undefined) this.#options.topicsChanged()
    return () => this.#unsubscribe(topic, handler)
  }

  /** A message out of another mesh; out of one of our own it was heard as it was published. */
  crossed(crossing: OpenedCrossing): void {
    const { meshes, self } = this.#options
    if (meshes.includes(crossing.originMesh) || crossing.origin === self) return
    if (!this.#subscriptions.has(crossing.topic) || this.#recent.has(crossing.id)) return
    const { topic, origin: from, hops, body, trace } = crossing
    this.#hand({ topic, from, data: body, trace, hops }, crossing.id)
  }

  #heard(message: GossipMessage): void {
    const { from, topic: name, data } = message
    const topic = this.topics().find((one) => this.#names(one).includes(name))
    if (topic === undefined || from === undefined) return
    try {
      const { body, trace, stamp } = decodeMessage(data)
      const id = `${from.toString()}/${stamp?.sequence ?? message.sequenceNumber ?? ''}`
      this.#hand({ topic, from: from.toString(), data: body, trace, hops: 0 }, id, stamp?.sentAt)
    } catch (error) {
      this.#options.failed(topic, error)
    }
  }

  #hand(message: MeshMessage, id: string, sentAt?: number): void {
    const { topic, from, data, trace, hops } = message
    const { clock } = this.#options
    const now = clock.now()
    this.#keep('in', topic, from, data.length, id)
    if (trace !== undefined && now - this.#receivedAt >= sampleMs) {
      this.#receivedAt = now
      const attributes = {
        'mesh.message.topic': topic,
        'mesh.message.id': id,
        'mesh.message.bytes': data.length,
        'mesh.message.hops': hops,
        'mesh.origin.peer': from,
        ...(sentAt !== undefined && { 'mesh.message.lateness_ms': Math.round(clock.wall() - sentAt) }),
      }
      this.#options.tell(tell('mesh.message.received', attributes, { links: [trace] }))
    }
    for (const handler of this.#subscriptions.get(topic) ?? []) {
      try {
        handler(message)
      } catch (error) {
        this.#options.failed(topic, error)
      }
    }
  }

  #keep(direction: MessageRecord['direction'], topic: string, peer: string, bytes: number, id: string): void {
    const { clock } = this.#options
    this.#recent.set(id, { at: clock.wall(), direction, topic, peer, bytes }, clock.now())
  }

  #ref(active: TraceRef | undefined): TraceRef {
    return active === undefined ? newTrace(this.#options.random) : childOf(active, this.#options.random)
  }

  #unsubscribe(topic: string, handler: MessageHandler): void {
    const held = this.#subscriptions.get(topic)
    if (held === undefined) return
    const at = held.indexOf(handler)
    const left = held.filter((_, index) => index !== at)
    if (left.length > 0) this.#replace(topic, left)
    else {
      this.#subscriptions.delete(topic)
      this.#options.topicsChanged()
    }
  }

  /** Another list of handlers for the topic; the topic itself stays subscribed. */
  #replace(topic: string, handlers: readonly MessageHandler[]): void {
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
    const cure = 'add gossipsub to its services, and name it in `pubsub` when it is called otherwise'
    throw new MeshError('MESH_SERVICE_MISSING', { service: 'pubsub', cure })
  }
}

/** The gossipsub topic of a topic: guests subscribe to this name. */
export function topicName(mesh: string, topic: string): string {
  return `${mesh}/${topic}`
}
