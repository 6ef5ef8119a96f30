import type { ConnectionLedger } from './connection-ledger.ts'
import type { DigestView } from './digest-view.ts'
import { isJoined } from './link.ts'
import type { Reach } from './own-digest.ts'

/**
 * Reach among all known peers: members and the peers in their lists of links. A guest may know further peers, so it
 * counts as unreached. A peer that only a bridge lists may be in its other mesh and does not count.
 */
export function reachOf(self: string, meshes: readonly string[], ledger: ConnectionLedger, view: DigestView): Reach {
  for (const { links } of ledger.records()) if (!links.some(isJoined)) return 'unreached'
  const members = view.members()
  const isLinked = (peer: string) => peer === self || ledger.joinedLink(peer) !== undefined
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
