import { type GossipSubComponents, gossipsub } from '@chainsafe/libp2p-gossipsub'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Connection, PeerId, Stream } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { SpanEffect } from '../catalogue/span-effect.ts'
import { Grudges } from '../core/grudges.ts'
import { Owner } from '../core/owner.ts'
import { GossipHealth } from '../kit/gossip/gossip-health.ts'
import { type GossipInternals, gossipInternals, peerTables } from '../kit/gossip/gossip-internals.ts'
import { gossipSettings } from '../kit/gossip/gossip-settings.ts'
import { silentLibp2p } from '../kit/libp2p-logger.ts'
import { VirtualClock } from './sim/virtual-clock.ts'

const address = multiaddr('/ip4/10.0.0.1/tcp/1')
export const peerIds = await Promise.all(
  Array.from({ length: 4 }, async () => peerIdFromPrivateKey(await generateKeyPair('Ed25519'))),
)

/** Methods of gossipsub through which libp2p and remote peers act on its tables. */
interface Actions {
  getScore(peer: string): number
  addPeer(peer: PeerId, direction: string, address: unknown): void
  handleGraft(peer: string, graft: readonly { topicID: string }[]): Promise<unknown>
  doAddBackoff(peer: string, topic: string, ms: number): void
}

export interface GossipOptions {
  readonly hasHealth?: boolean
  /** Scored topics. */
  readonly topics?: Readonly<Record<string, object>>
}

/** The installed gossipsub, not started, with the mesh's guard; `hasHealth: false` leaves it as it is upstream. */
export function createHealthyGossip({ hasHealth = true, topics = {} }: GossipOptions = {}) {
  const clock = new VirtualClock({ wall: Date.now() })
  const owner = new Owner('test', clock)
  const settings = gossipSettings()
  const scoreParams = { ...settings.scoreParams, topics: topics as Record<string, never> }
  const created = gossipsub({ ...settings, scoreParams })({ logger: silentLibp2p } as GossipSubComponents)
  const gossip = gossipInternals(created) as GossipInternals & Actions
  const connected = new Set<PeerId>()
  const getConnections = (peer?: PeerId) =>
    Array.from(connected, (remotePeer) => ({ remotePeer }) as Connection).filter(
      ({ remotePeer }) => peer === undefined || remotePeer.equals(peer),
    )
  const spans: SpanEffect[] = []
  const emitSpan = (span: SpanEffect) => void spans.push(span)
  const errors: unknown[] = []
  const onError = (error: unknown) => void errors.push(error)
  const parts = { gossip, owner, clock, connectionManager: { getConnections }, grudges: new Grudges(owner) }
  const health = new GossipHealth({ ...parts, emitSpan, onError })
  if (hasHealth) health.start()
  const join = (peer: PeerId) => {
    connected.add(peer)
    gossip.addPeer(peer, 'inbound', address)
  }
  const leave = (peer: PeerId) => {
    connected.delete(peer)
    gossip.removePeer(peer)
  }
  const send = (peer: PeerId, rpc: object) =>
    gossip.handleReceivedRpc(peer, { subscriptions: [], messages: [], ...rpc })
  const subscribe = (peer: PeerId, ...names: string[]) =>
    send(peer, { subscriptions: names.map((topic) => ({ topic, subscribe: true })) })
  return { owner, clock, gossip, health, connected, errors, spans, join, leave, send, subscribe }
}

/** Tables that list the peer. */
export function tablesOf(gossip: GossipInternals, peer: PeerId): string[] {
  const id = peer.toString()
  const { flat, nested } = peerTables(gossip)
  const listing = [
    ...flat.filter(([, table]) => table.has(id)),
    ...nested.filter(([, table]) => [...table.values()].some((peers) => peers.has(id))),
  ]
  return listing.map(([name]) => name).sort()
}

/** Puts the peer into every table, as no real peer could. */
export function haunt(gossip: GossipInternals, peer: PeerId): Stream[] {
  const id = peer.toString()
  const { flat, nested } = peerTables(gossip)
  const streams: Stream[] = []
  for (const [name, table] of flat) {
    if (table instanceof Set) table.add(id)
    else if (name === 'peers') gossip.peers.set(id, peer)
    else if (name === 'streamsInbound' || name === 'streamsOutbound') {
      const rawStream = {
        status: 'open',
        abort: () => Object.assign(rawStream, { status: 'aborted' }),
      } as unknown as Stream
      streams.push(rawStream)
      const close = async () => {}
      ;(table as Map<string, unknown>).set(id, { rawStream, close, push: () => {}, pushPrefixed: () => {} })
    } else if (name === 'scores') gossip.score.addPeer(id)
    else if (name === 'scoreCache') (table as Map<string, unknown>).set(id, { score: 0, cacheUntil: 0 })
    else (table as Map<string, unknown>).set(id, 1)
  }
  for (const [, table] of nested) table.set('one', new Map([[id, 1]]))
  return streams
}
