import { isMeshError } from '../../core/errors.ts'
import type { Crossing, NetworkEvent } from '../../core/events.ts'
import type { Digest } from '../../core/frames.ts'
import { limits } from '../../core/limits.ts'
import type { Clock } from '../../core/machine.ts'
import type { Owner } from '../../core/owner.ts'
import type { GossipMessage, PubSub } from '../components.ts'
import type { MeshAdmission } from '../credentials/mesh-admission.ts'
import { encodeCrossing, type OpenedCrossing, openCrossing } from '../messages/seal.ts'
import { decodeDigest, encodeDigest } from '../wire.ts'

export const digestTopic = (mesh: string) => `tracemesh/1/digest/${mesh}`
const crossingTopic = (mesh: string) => `tracemesh/1/cross/${mesh}`
/** The topics that every member of these meshes subscribes to. */
export const channelTopics = (meshes: readonly string[]) =>
  meshes.flatMap((mesh) => [digestTopic(mesh), crossingTopic(mesh)])

/** Concurrent signature checks. */
const checksMax = 64

interface GossipCounts {
  /** Invalid digests and those not of their sender; crossings that are malformed or have an invalid seal. */
  refused: number
  /** Unchecked crossings beyond `limits.crossingsWaiting`. */
  dropped: number
  /** Messages that gossipsub failed to publish. */
  unpublished: number
}

interface GossipChannelOptions {
  readonly pubsub: PubSub
  readonly owner: Owner
  readonly clock: Clock
  /** Meshes this node is in. */
  readonly meshes: readonly string[]
  readonly deliver: (event: NetworkEvent) => void
  /** Of a closed mesh. */
  readonly admission?: Pick<MeshAdmission, 'tokens' | 'admitsSigner'> | undefined
  /** Called for every crossing with a valid seal, for the local application. */
  readonly onCrossing: (mesh: string, crossing: OpenedCrossing) => void
}

/** A received crossing, not verified yet. */
interface ReceivedCrossing {
  readonly mesh: string
  readonly message: GossipMessage
}

/** The mesh's own gossipsub topics: digests, and messages that cross meshes. */
export class GossipChannel {
  readonly counts: GossipCounts = { refused: 0, dropped: 0, unpublished: 0 }
  readonly #options: GossipChannelOptions
  readonly #checks: WorkQueue<ReceivedCrossing>
  #publishing: Promise<void> = Promise.resolve()

  constructor(options: GossipChannelOptions) {
    this.#options = options
    const bounds = { waiting: limits.crossingsWaiting, waitingBytes: limits.crossingsWaitingBytes }
    this.#checks = new WorkQueue({ concurrency: checksMax, ...bounds }, (received) => this.#openCrossing(received))
  }

  start(): void {
    const { pubsub, owner, meshes } = this.#options
    const onMessage = (event: CustomEvent<GossipMessage>) => this.#onMessage(event.detail)
    pubsub.addEventListener('message', onMessage)
    owner.adopt('gossip listener', () => pubsub.removeEventListener('message', onMessage))
    for (const topic of channelTopics(meshes)) {
      pubsub.subscribe(topic)
      owner.adopt(`topic ${topic}`, () => this.#unsubscribe(topic))
    }
  }

  /** libp2p stops services in parallel: gossipsub may have stopped, and left its topics, already. */
  #unsubscribe(topic: string): void {
    try {
      this.#options.pubsub.unsubscribe(topic)
    } catch {}
  }

  digest(mesh: string, digest: Digest): void {
    const credentials = this.#options.admission?.tokens ?? []
    const shown = credentials.length === 0 ? digest : { ...digest, credentials }
    this.#publish(digestTopic(mesh), encodeDigest(shown))
  }

  publishCrossing(mesh: string, crossing: Crossing): void {
    this.#publish(crossingTopic(mesh), encodeCrossing(crossing))
  }

  /** Without subscribers this is no failure: linked peers get the digest over the link. */
  #publish(topic: string, bytes: Uint8Array): void {
    const published = this.#options.pubsub.publish(topic, bytes, { allowPublishToZeroTopicPeers: true }).catch(() => {
      this.counts.unpublished++
    })
    // With its result, each publish would hold those of all before it.
    this.#publishing = Promise.all([this.#publishing, published]).then(() => {})
  }

  /** Resolves once gossipsub has sent what was published so far. */
  async flush(): Promise<void> {
    await this.#publishing
  }

  #onMessage(message: GossipMessage): void {
    const mesh = this.#options.meshes.find((mesh) => message.topic === digestTopic(mesh))
    if (mesh !== undefined) this.#digest(mesh, message)
    const crossingMesh = this.#options.meshes.find((mesh) => message.topic === crossingTopic(mesh))
    if (crossingMesh !== undefined) this.#queueCheck(crossingMesh, message)
  }

  #queueCheck(mesh: string, message: GossipMessage): void {
    const bound = this.#checks.add({ mesh, message }, message.data.length)
    if (bound === undefined) return
    this.counts.dropped++
    const limit = bound === 'waiting' ? 'crossingsWaiting' : 'crossingsWaitingBytes'
    this.#options.deliver({ type: 'limit.reached', limit, action: 'refused' })
  }

  #digest(mesh: string, { from, data }: GossipMessage): void {
    try {
      const digest = decodeDigest(data)
      const isFromOwner = from !== undefined && digest.peer === from.toString()
      if (isFromOwner) this.#checkDigest(mesh, digest)
      else this.counts.refused++
    } catch {
      this.counts.refused++
    }
  }

  /** In a closed mesh a digest counts only with the credentials of the peer that signed it. */
  #checkDigest(mesh: string, { credentials, ...digest }: Digest): void {
    const { clock, deliver, admission, owner } = this.#options
    const wall = clock.wall()
    const deliverDigest = () => deliver({ type: 'gossip', mesh, from: digest.peer, digest, wall })
    if (admission === undefined) {
      deliverDigest()
      return
    }
    void admission.admitsSigner(digest, credentials).then((isAdmitted) => {
      if (!isAdmitted) this.counts.refused++
      else if (!owner.closed) deliverDigest()
    })
  }

  async #openCrossing({ mesh, message }: ReceivedCrossing): Promise<void> {
    if (this.#options.owner.closed) return
    try {
      const crossingWithBody = await openCrossing(message.data)
      const { body: _, ...crossing } = crossingWithBody
      if (this.#options.owner.closed) return
      this.#options.onCrossing(mesh, crossingWithBody)
      this.#options.deliver({ type: 'crossing', mesh, crossing })
    } catch (error) {
      this.counts.refused++
      const claimed = isMeshError(error, 'MESH_SEAL_INVALID') ? error.detail : { origin: '', id: '' }
      // The publisher is known at least: gossipsub has verified its signature.
      const origin = claimed.origin || (message.from?.toString() ?? '')
      const id = claimed.id || `${origin}/${message.sequenceNumber ?? ''}`
      this.#options.deliver({ type: 'crossing.refused', mesh, origin, id })
    }
  }
}

interface QueueBounds {
  /** Items in progress. */
  readonly concurrency: number
  /** Items in the queue, and their bytes. */
  readonly waiting: number
  readonly waitingBytes: number
}

/** The bound that an item exceeds. */
type QueueBound = Exclude<keyof QueueBounds, 'atOnce'>

interface QueuedWork<T> {
  readonly item: T
  readonly bytes: number
}

/** A FIFO queue of async work, with bounds on concurrency and on the queue. */
export class WorkQueue<T> {
  readonly #bounds: QueueBounds
  readonly #work: (item: T) => Promise<void>
  /** Bounded by `waiting`. */
  readonly #waiting: QueuedWork<T>[] = []
  #waitingBytes = 0
  #running = 0

  /** `work` must not reject. */
  constructor(bounds: QueueBounds, work: (item: T) => Promise<void>) {
    this.#bounds = bounds
    this.#work = work
  }

  /** Undefined if it accepts the item, otherwise the bound that the item exceeds. */
  add(item: T, bytes: number): QueueBound | undefined {
    if (this.#running < this.#bounds.concurrency) {
      this.#run(item)
      return undefined
    }
    if (this.#waiting.length >= this.#bounds.waiting) return 'waiting'
    if (this.#waitingBytes + bytes > this.#bounds.waitingBytes) return 'waitingBytes'
    this.#waiting.push({ item, bytes })
    this.#waitingBytes += bytes
    return undefined
  }

  #run(item: T): void {
    this.#running++
    void this.#work(item).finally(() => this.#next())
  }

  #next(): void {
    this.#running--
    const next = this.#waiting.shift()
    if (next === undefined) return
    this.#waitingBytes -= next.bytes
    this.#run(next.item)
  }
}
