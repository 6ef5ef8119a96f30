import type { ConnectionLedger } from './connection-ledger.ts'
import type { DigestView } from './digest-view.ts'
import type { Reach } from './own-digest.ts'

/** The reach of this node, computed anew when links or members have changed: each digest depends on it. */
export class ReachWatch {
  readonly #self: string
  readonly #meshes: readonly string[]
  readonly #ledger: ConnectionLedger
  readonly #view: DigestView
  #reach: Reach = 'linked'
  #linkedPeers: readonly string[] | undefined
  #topologyVersion = 0

  constructor(self: string, meshes: readonly string[], ledger: ConnectionLedger, view: DigestView) {
    this.#self = self
    this.#meshes = meshes
    this.#ledger = ledger
    this.#view = view
  }

  get current(): Reach {
    const { linkedPeers, hasUnlinkedPeers } = this.#ledger
    // A guest may know further peers.
    if (hasUnlinkedPeers) return 'unreached'
    const { topologyVersion } = this.#view
    if (linkedPeers !== this.#linkedPeers || topologyVersion !== this.#topologyVersion) {
      this.#reach = reachOf(this.#self, this.#meshes, this.#ledger, this.#view)
      this.#linkedPeers = linkedPeers
      this.#topologyVersion = topologyVersion
    }
    return this.#reach
  }
}

/**
 * Reach among all known peers: members and the peers in their lists of links. A peer that only a bridge lists may be in
 * its other mesh and does not count.
 */
function reachOf(self: string, meshes: readonly string[], ledger: ConnectionLedger, view: DigestView): Reach {
  const members = view.members()
  const isLinked = (peer: string) => peer === self || ledger.isLinked(peer)
  const linkedNeighbours = members.filter(({ digest }) => digest.links.includes(self) && isLinked(digest.peer))
  const vouchedPeers = new Set(linkedNeighbours.flatMap(({ digest }) => digest.links))
  let reach: Reach = 'linked'
  for (const { digest } of members) {
    const isInOtherMesh = digest.meshes.some((mesh) => !meshes.includes(mesh))
    for (const peer of [digest.peer, ...digest.links]) {
      if (isLinked(peer)) continue
      const isMember = view.get(peer)?.state === 'member'
      if (isMember ? !vouchedPeers.has(peer) : !isInOtherMesh) return 'unreached'
      reach = 'vouched'
    }
  }
  return reach
}

/** Members that are in all of these meshes. */
export function otherBridges(self: string, meshes: readonly string[], view: DigestView): readonly string[] {
  return view
    .members()
    .filter(({ digest }) => digest.peer !== self && meshes.every((mesh) => digest.meshes.includes(mesh)))
    .map(({ digest }) => digest.peer)
}
