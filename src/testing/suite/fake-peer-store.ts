import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Connection, Peer, PeerData, PeerId } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { SpanEffectOf } from '../../catalogue/span-effect.ts'
import { Owner } from '../../core/owner.ts'
import type { ConnectionOwner } from '../../kit/connections/connections.ts'
import { linkProtocol } from '../../kit/connections/link-streams.ts'
import type { Dht, DhtContact } from '../../kit/peer-store/dht-table.ts'
import { recordKey } from '../../kit/peer-store/peer-store-records.ts'
import { PeerStoreSweep, type PeerStoreSweepOptions } from '../../kit/peer-store/peer-store-sweep.ts'
import { VirtualClock } from '../sim/virtual-clock.ts'

export type Swept = SpanEffectOf<'mesh.peerstore.swept'>

interface RecordOptions {
  /** Milliseconds since its last change; an hour by default. */
  readonly ageMs?: number
  readonly tags?: readonly string[]
  readonly protocols?: readonly string[]
}

export interface SweepSetup {
  readonly mode?: 'own' | 'all'
  readonly intervalMs?: number
  /** With a DHT, whose table is empty at first. */
  readonly dht?: boolean
}

const hourMs = 3_600_000
/** Microtasks that a sweep takes between two timers. */
const turns = 2_000

/** A peer store, connections and a table of a DHT in memory, and a sweep over them on virtual time. */
export class FakePeerStore {
  readonly clock = new VirtualClock()
  readonly owner = new Owner('node', this.clock)
  readonly events = new EventTarget()
  readonly spans: Swept[] = []
  /** Calls in order, as `clear`, `delete`, `merge`, `table.remove`, `identify`, `dial` or `abort`, and the peer. */
  readonly calls: string[] = []
  readonly members = new Set<string>()
  /** Peers that libp2p is dialling, by id. */
  readonly dialled = new Map<string, PeerId>()
  readonly table = new Map<string, DhtContact>()
  readonly sweep: PeerStoreSweep
  /** Called before each `patch` and `delete`; it may connect the peer, or throw. */
  beforeWrite: (call: string, peer: PeerId) => void = () => {}
  dial: (peer: PeerId) => Promise<unknown> = () => Promise.reject(new Error('connection refused'))
  opener: ConnectionOwner = 'peer'
  /** Questions whose peer it is. */
  openerReads = 0
  /** The close of a connection that a dial has opened. */
  close: () => Promise<void> = async () => {}
  readonly #self: PeerId
  readonly #connected = new Map<string, PeerId>()
  readonly #records = new Map<string, Peer>()
  readonly #bytes = new Map<string, Uint8Array>()

  private constructor(self: PeerId, { mode = 'all', intervalMs, dht = false }: SweepSetup) {
    this.#self = self
    this.sweep = new PeerStoreSweep({
      components: this.#components(),
      owner: this.owner,
      clock: this.clock,
      mode,
      intervalMs,
      dht: dht ? this.#dht() : undefined,
      isMember: (peer) => this.members.has(peer),
      openedBy: () => {
        this.openerReads++
        return this.opener
      },
      gossipTopics: () => ['news'],
      identify: async ({ remotePeer }) => void this.calls.push(`identify ${remotePeer}`),
      emitSpan: (span) => void this.spans.push(span as Swept),
    })
    this.sweep.start()
  }

  static async start(setup: SweepSetup = {}): Promise<FakePeerStore> {
    const store = new FakePeerStore(await newPeer(), setup)
    await store.add({ peer: store.#self })
    return store
  }

  /** Adds a record, of a member by default. */
  async add({ peer, ...options }: RecordOptions & { readonly peer?: PeerId } = {}): Promise<PeerId> {
    const id = peer ?? (await newPeer())
    const { ageMs = hourMs, tags = [], protocols = [linkProtocol] } = options
    const record = {
      id,
      addresses: [{ multiaddr: multiaddr('/ip4/10.0.0.1/tcp/1'), isCertified: false }],
      protocols: [...protocols],
      metadata: new Map(),
      tags: new Map(tags.map((tag) => [tag, { value: 1 }])),
      updated: this.clock.wall() - ageMs,
    }
    this.#records.set(id.toString(), record)
    // As Node.js cuts small buffers.
    this.#bytes.set(recordKey(id), new Uint8Array(new ArrayBuffer(65_536), 128, 200).fill(7))
    return id
  }

  connect(peer: PeerId): void {
    this.#connected.set(peer.toString(), peer)
    this.events.dispatchEvent(new CustomEvent('peer:connect', { detail: peer }))
  }

  disconnect(peer: PeerId): void {
    this.#connected.delete(peer.toString())
    this.events.dispatchEvent(new CustomEvent('peer:disconnect', { detail: peer }))
  }

  addToTable(peer: PeerId): DhtContact {
    const contact = { peerId: peer, lastPing: 0 }
    this.table.set(peer.toString(), contact)
    return contact
  }

  has(peer: PeerId): boolean {
    return this.#records.has(peer.toString())
  }

  record(peer: PeerId): Peer | undefined {
    return this.#records.get(peer.toString())
  }

  bytesOf(peer: PeerId): Uint8Array | undefined {
    return this.#bytes.get(recordKey(peer))
  }

  /** Calls about one peer. */
  callsFor(peer: PeerId): string[] {
    return this.calls.filter((call) => call.endsWith(peer.toString())).map((call) => call.split(' ')[0] ?? '')
  }

  /** Moves the time by one step of a timer after another, so that a sweep runs on between them. */
  async advance(ms: number): Promise<void> {
    const until = this.clock.now() + ms
    for (let at = this.clock.next(); at <= until; at = this.clock.next()) {
      this.clock.runUntil(at)
      await settle()
    }
    this.clock.runUntil(until)
    await settle()
  }

  #components(): PeerStoreSweepOptions['components'] {
    const connectionOf = (peer: PeerId) => ({
      remotePeer: peer,
      streams: [],
      close: () => this.close(),
      abort: () => void this.calls.push(`abort ${peer}`),
    })
    return {
      peerId: this.#self,
      events: this.events,
      datastore: {
        data: this.#bytes,
        queryKeys: () => this.#bytes.keys(),
        put: (key: string, value: Uint8Array) => this.#bytes.set(key, value),
      },
      connectionManager: {
        getConnections: (peer?: PeerId) =>
          [...this.#connected.values()].filter((one) => peer === undefined || one.equals(peer)).map(connectionOf),
        getDialQueue: () => [...this.dialled.values()].map((peerId) => ({ peerId })),
        openConnection: async (peer: PeerId) => {
          this.calls.push(`dial ${peer}`)
          await this.dial(peer)
          return connectionOf(peer) as unknown as Connection
        },
      },
      peerStore: {
        get: async (peer: PeerId) => this.#get(peer),
        patch: (peer: PeerId) =>
          this.#write('clear', peer, (record) => ({ ...record, addresses: [] }) as unknown as Peer),
        merge: (peer: PeerId, data: PeerData) =>
          this.#write('merge', peer, (record) => ({ ...record, ...data, id: peer }) as Peer),
        delete: async (peer: PeerId) => {
          this.#note('delete', peer)
          this.#records.delete(peer.toString())
          this.#bytes.delete(recordKey(peer))
        },
      },
    } as unknown as PeerStoreSweepOptions['components']
  }

  #dht(): Dht {
    const { table } = this
    return {
      getMode: () => 'server',
      peerInfoMapper: (info) => info,
      routingTable: {
        get size() {
          return table.size
        },
        kb: { toIterable: () => table.values() },
        remove: async (peer) => {
          this.#note('table.remove', peer)
          table.delete(peer.toString())
        },
      },
    }
  }

  #get(peer: PeerId): Peer {
    const record = this.#records.get(peer.toString())
    if (record === undefined) throw Object.assign(new Error('no record'), { name: 'NotFoundError' })
    return record
  }

  async #write(call: string, peer: PeerId, change: (record: Peer | undefined) => Peer): Promise<void> {
    this.#note(call, peer)
    this.#records.set(peer.toString(), change(this.#records.get(peer.toString())))
  }

  #note(call: string, peer: PeerId): void {
    this.beforeWrite(call, peer)
    this.calls.push(`${call} ${peer}`)
  }
}

export async function newPeer(): Promise<PeerId> {
  return peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await Promise.resolve()
}
