import type { MeshNode } from '../../core/mesh-node.ts'
import { helloOf, infoOf, joinLink, makeNode } from './node-fixture.ts'
import { digestOf } from './view-fixture.ts'

const digestMs = 2_000

/** Nodes with joined links, each of which receives a frame in turn. */
export class LinkedNodes {
  readonly #nodes: readonly LinkedNode[]
  #next = 0

  constructor(nodes: number, connections: number) {
    this.#nodes = Array.from({ length: nodes }, () => new LinkedNode(connections))
  }

  /** Microseconds of CPU per frame. */
  frameCost(frames: number): number {
    const before = process.cpuUsage()
    for (let frame = 0; frame < frames; frame++) this.#receive()
    const { user, system } = process.cpuUsage(before)
    return (user + system) / frames
  }

  #receive(): void {
    this.#nodes[this.#next]?.receive()
    this.#next = (this.#next + 1) % this.#nodes.length
  }
}

/** A node with joined links, whose peers send frames in turn. */
class LinkedNode {
  readonly #node: MeshNode
  readonly #connections: readonly string[]
  #sequence = 1
  #now = 1_000
  #next = 0

  constructor(count: number) {
    this.#node = meshNode(count)
    this.#connections = Array.from({ length: count }, (_, index) => `connection-${index}`)
    for (const [index, connection] of this.#connections.entries()) join(this.#node, connection, index, this.#now)
  }

  /** Takes the next frame. The time between two frames is that of so many links. */
  receive(): void {
    const connection = this.#connections[this.#next] ?? ''
    this.#now += digestMs / this.#connections.length
    const frame = { type: 'unchanged', incarnation: 1, sequence: this.#sequence + 1 } as const
    this.#node.handle({ type: 'frame', connection, wall: this.#now, frame }, this.#now)
    this.#node.deadline()
    this.#next = (this.#next + 1) % this.#connections.length
    if (this.#next === 0) this.#sequence++
  }
}

function meshNode(connections: number): MeshNode {
  const node = makeNode({ self: peerId(connections), connectionsHigh: connections, digestMs })
  node.handle({ type: 'started', settings: [] }, 0)
  const infos = Array.from({ length: connections }, (_, index) => {
    const ids = { id: `connection-${index}`, peer: peerId(index), address: addressOf(index) }
    return infoOf({ ...ids, transport: 'quic', gossip: 'open' })
  })
  node.handle({ type: 'observed', connections: infos }, 0)
  return node
}

function join(node: MeshNode, connection: string, index: number, now: number): void {
  const peer = peerId(index)
  const instance = peer.slice(-16)
  const lists = { addresses: [addressOf(index)], topics: ['t'], links: [0, 1, 2, 3].map(peerId) }
  const digest = digestOf(peer, { instance, intervalMs: digestMs, ...lists, sentAt: now })
  joinLink(node, connection, now, helloOf({ instance }))
  node.handle({ type: 'frame', connection, wall: now, frame: { type: 'digest', digest } }, now)
}

function peerId(index: number): string {
  return `12D3KooW${String(index).padStart(44, 'x')}`
}

function addressOf(index: number): string {
  return `/ip4/10.0.${index >> 8}.${index & 255}/udp/4001/quic-v1`
}
