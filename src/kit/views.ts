import type { ConnectionLedger } from '../core/connection-ledger.ts'
import type { DigestView } from '../core/digest-view.ts'
import type { Link } from '../core/link.ts'
import type { OwnAddress } from '../core/own-addresses.ts'

/** One connected peer, for display. */
export interface PeerInfo {
  readonly peer: string
  /** Empty for a guest. */
  readonly name: string
  readonly kind: Link['kind']
  readonly links: readonly {
    readonly id: string
    readonly connection: string
    readonly state: Link['state']
    readonly direction: 'inbound' | 'outbound'
    readonly transport: string
    readonly address: string
    readonly ageMs: number
    /** Id of the trace in which the link opened. */
    readonly trace: string | undefined
  }[]
}

export interface MemberInfo {
  readonly peer: string
  readonly name: string
  readonly role: string
  readonly meshes: readonly string[]
  readonly incarnation: number
  readonly addresses: readonly string[]
  readonly topics: readonly string[]
  /** Peer ids of its links, from its digest. */
  readonly links: readonly string[]
  readonly silentMs: number
  readonly via: 'link' | 'gossip'
}

/** This node's view of its mesh. */
export interface Topology {
  readonly self: string
  /** Own addresses, including those that the node does not announce. */
  readonly addresses: readonly OwnAddress[]
  readonly peers: readonly PeerInfo[]
  readonly members: readonly MemberInfo[]
  readonly topics: Readonly<Record<string, readonly string[]>>
}

export function topologyOf(
  self: string,
  addresses: readonly OwnAddress[],
  ledger: ConnectionLedger,
  view: DigestView,
  now: number,
): Topology {
  const peers = Array.from(ledger.records(), ({ peer, links }) => ({
    peer,
    name: links.find((link) => link.hello)?.hello?.name ?? '',
    kind: links.find((link) => link.kind !== 'unsettled')?.kind ?? 'unsettled',
    links: links.map((link) => ({
      id: link.id,
      connection: link.connection,
      state: link.state,
      direction: link.info.direction,
      transport: link.info.transport,
      address: link.info.address,
      ageMs: Math.round(now - link.openedAt),
      trace: link.openedSpan?.traceId,
    })),
  }))
  const members = view.members().map((member) => {
    const { digest, via } = member
    const { peer, name, role, meshes, incarnation, addresses, topics, links } = digest
    const silentMs = Math.round(now - view.aliveAt(member))
    return { peer, name, role, meshes, incarnation, addresses, topics, links, silentMs, via }
  })
  return { self, addresses, peers, members, topics: Object.fromEntries(view.topics()) }
}
