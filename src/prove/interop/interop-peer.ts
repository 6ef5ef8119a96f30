import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster, NodeOptions, NodeProcess } from '../../testing/cluster/cluster.ts'
import type { Guest, GuestMessage, GuestOptions } from '../../testing/interop/guest.ts'
import { startGuest } from '../../testing/interop/guest.ts'
import type { NodeCommand } from '../../testing/interop/mesh-node.ts'
import { testProgram } from '../shell.ts'

/** A node or a guest that gossips on one topic. */
export interface InteropPeer {
  readonly name: string
  readonly peer: string
  readonly messages: readonly GuestMessage[]
  readonly published: readonly GuestMessage[]
  publish(text: string): void
  publishBytes(bytes: number): void
  worstScores(): Promise<Readonly<Record<string, number>>>
  kill(): Promise<void>
}

const mesh = 'mesh-a'
const meshTopic = 'news'
/** The topic on which nodes and guests talk, by its name in gossipsub. */
export const topic = `${mesh}/${meshTopic}`

const entry = testProgram('interop/mesh-node.ts')

/** Starts a node that subscribes to the topic and takes commands about gossip. */
export async function startNode(cluster: Cluster, name: string, options: NodeOptions = {}): Promise<InteropPeer> {
  const settings = { mesh, keepIdentity: true, entry, ...options, env: { MESH_TOPICS: meshTopic, ...options.env } }
  return new NodePeer(await cluster.node(name, settings))
}

/** Starts a guest that subscribes to the topic. */
export async function startNamedGuest(
  name: string,
  command: readonly string[],
  options: Omit<GuestOptions, 'topics'>,
): Promise<InteropPeer & Guest> {
  const guest = await startGuest(command, { ...options, topics: [topic] })
  return Object.assign(guest, { name })
}

class NodePeer implements InteropPeer {
  readonly #process: NodeProcess
  /** Lines of its log that are read. */
  #read = 0
  #scores: Readonly<Record<string, number>> | undefined
  readonly #messages: GuestMessage[] = []
  readonly #published: GuestMessage[] = []

  constructor(process: NodeProcess) {
    this.#process = process
  }

  get name(): string {
    return this.#process.name
  }

  get peer(): string {
    return this.#process.peer
  }

  get messages(): readonly GuestMessage[] {
    this.#readLog()
    return this.#messages
  }

  get published(): readonly GuestMessage[] {
    this.#readLog()
    return this.#published
  }

  publish(text: string): void {
    this.#send({ command: 'publish', topic, text })
  }

  publishBytes(bytes: number): void {
    this.#send({ command: 'publish-big', topic, bytes })
  }

  async worstScores(): Promise<Readonly<Record<string, number>>> {
    this.#scores = undefined
    this.#send({ command: 'scores' })
    while (this.#scores === undefined) {
      await sleep(50)
      this.#readLog()
    }
    return this.#scores
  }

  async kill(): Promise<void> {
    this.#process.kill()
    await this.#process.exited
  }

  #send(command: NodeCommand): void {
    this.#process.send(command)
  }

  #readLog(): void {
    const { log } = this.#process
    for (const line of log.slice(this.#read)) {
      if (line['topic'] === topic && line['event'] === 'message') this.#messages.push(line as unknown as GuestMessage)
      if (line['topic'] === topic && line['event'] === 'published')
        this.#published.push(line as unknown as GuestMessage)
      if (line['event'] === 'scores') this.#scores = line['worst'] as Record<string, number>
    }
    this.#read = log.length
  }
}
