import type { FastifyInstance } from 'fastify'
import type { MessageRecord } from '../kit/messages/messages.ts'
import type { TracemeshService } from '../kit/service.ts'
import type { MemberInfo, Topology } from '../kit/views.ts'
import { doctorRoute } from '../page/doctor-route.ts'
import { diagnoseStore } from '../page/doctor-thread.ts'
import { meshRoute } from '../page/mesh-route.ts'
import { guestNode, type MeshView, type ViewLink, type ViewMessage, type ViewNode } from '../page/mesh-view.ts'
import { pageRoutes } from '../page/serve.ts'
import { traceRoutes } from '../page/trace-routes.ts'
import type { NodeConfig } from './config.ts'

/** The read-only page of an observer. */
export async function observerRoutes(
  app: FastifyInstance,
  config: NodeConfig,
  mesh: TracemeshService,
  onError: (error: unknown) => void,
): Promise<void> {
  // Without the page files the node still serves its topology.
  await pageRoutes(app).catch(onError)
  if (config.query !== 'off') {
    traceRoutes(app, config.query)
    doctorRoute(app, diagnoseStore(config.query, config.mesh))
  }
  meshRoute(app, () => observerView(config, { topology: mesh.topology(), messages: mesh.messages(), atMs: Date.now() }))
}

/** The state of the observer that the view shows. */
interface Observation {
  readonly topology: Topology
  readonly messages: readonly MessageRecord[]
  /** Unix milliseconds of the request. */
  readonly atMs: number
}

type Settings = Pick<
  NodeConfig,
  'name' | 'mesh' | 'role' | 'topics' | 'digestMs' | 'gossipDigestMs' | 'query' | 'jaegerUi'
>

/** Digests in a row that may be missing before a member counts as unreachable; it stays a member until it expires. */
const maxMissedDigests = 3

/** The mesh as the observer sees it: itself, its members by their digests, its guests. */
export function observerView(settings: Settings, observation: Observation): MeshView {
  const { topology, messages, atMs } = observation
  const guests = topology.peers
    .filter(({ kind }) => kind === 'guest')
    .map(({ peer, name, links }) =>
      guestNode(
        peer,
        name,
        links.map(({ address }) => address),
      ),
    )
  const members = topology.members.map((member) => memberNode(member, settings))
  const nodes = [selfNode(settings, topology), ...members, ...guests]
  const names = new Map(nodes.map(({ id, name }) => [id, name]))
  const toViewMessage = ({ at, direction, topic, peer, bytes }: MessageRecord): ViewMessage => {
    const node = direction === 'out' ? settings.name : names.get(peer) || peer
    return { atMs: at, node, id: peer, text: `${bytes} bytes on ${topic}` }
  }
  return {
    atMs,
    from: 'observer',
    title: `${settings.mesh}, view of ${settings.name}`,
    self: topology.self,
    nodes,
    links: linksOf(topology),
    boot: [],
    spans: [],
    messages: messages.map(toViewMessage),
    traces: settings.query !== 'off',
    ...(settings.jaegerUi !== 'off' && { jaegerUrl: settings.jaegerUi.replace(/\/+$/, '') }),
  }
}

function selfNode({ name, mesh, role, topics }: Settings, { self, peers, members }: Topology): ViewNode {
  const links = peers.filter(({ kind }) => kind === 'member').map(({ peer }) => peer)
  return {
    id: self,
    name,
    role,
    meshes: [mesh],
    state: 'running',
    addresses: [],
    topics,
    links,
    counts: { members: members.length, links: links.length },
    pid: process.pid,
    controllable: false,
    inventory: '/api/inventory',
  }
}

function memberNode(member: MemberInfo, { digestMs, gossipDigestMs }: Settings): ViewNode {
  const { peer: id, name, role, meshes, incarnation, addresses, topics, links, silentMs, via } = member
  const intervalMs = via === 'link' ? digestMs : gossipDigestMs
  const state = silentMs > maxMissedDigests * intervalMs ? 'unreachable' : 'running'
  const counts = { links: links.length }
  return { id, name, role, meshes, incarnation, addresses, topics, links, silentMs, state, counts, controllable: false }
}

/** Links of the observer from its topology, and links between other members from their digests. */
function linksOf({ self, peers, members }: Topology): ViewLink[] {
  const linksByPeer = new Map(members.map(({ peer, links }) => [peer, new Set(links)]))
  const own = peers.flatMap(({ peer, kind, links }) =>
    links.map(({ id, transport, trace }): ViewLink => {
      const ends = linksByPeer.get(peer)?.has(self) === true ? 2 : 1
      return { ...sortedPair(self, peer), id, transport, kind, ends, ...(trace !== undefined && { trace }) }
    }),
  )
  const remoteLinks = members.flatMap(({ peer, links }) =>
    links.flatMap((other): ViewLink[] => {
      if (other === self) return []
      const hasBothEnds = linksByPeer.get(other)?.has(peer) === true
      // Both ends announce the link: the lower id adds it.
      if (hasBothEnds && other < peer) return []
      return [{ ...sortedPair(peer, other), id: '', transport: '', kind: 'member', ends: hasBothEnds ? 2 : 1 }]
    }),
  )
  return [...own, ...remoteLinks]
}

function sortedPair(one: string, other: string): Pick<ViewLink, 'a' | 'b'> {
  return one < other ? { a: one, b: other } : { a: other, b: one }
}
