import type { ConnectionLedger } from './connection-ledger.ts'
import type { DigestView } from './digest-view.ts'
import { isJoined } from './link.ts'
import type { Reach } from './own-digest.ts'

/**
 * Of all that are known, by themselves or in somebody’s list of links. Guests may hide more. Whom nobody but a bridge
 * names may be in its other mesh, and is not waited for.
 */
export function reachOf(self: string, meshes: readonly string[], ledger: ConnectionLedger, view: DigestView): Reach {
  for (const { links } of ledger.records()) if (!links.some(isJoined)) return 'unreached'
  const members = view.members()
  const linked = (peer: string) => peer === self || ledger.joined(peer) !== undefined
  const common = members.filter(({ digest }) => digest.links.includes(self) && linked(digest.peer))
  const vouched = new Set(common.flatMap(({ digest }) => digest.links))
  let reach: Reach = 'linked'
  for (const { digest } of members) {
    const elsewhere = digest.meshes.some((mesh) => !meshes.includes(mesh))
    for (const peer of [digest.peer, ...digest.links]) {
      if (linked(peer)) continue
      const known = view.get(peer)?.state === 'member'
      if (known ? !vouched.has(peer) : !elsewhere) return 'unreached'
      reach = 'vouched'
    }
  }
  return reach
}

/** Members that are in all of these meshes too. */
export function otherBridges(self: string, meshes: readonly string[], view: DigestView): readonly string[] {
  return view
    .members()
    .filter(({ digest }) => digest.peer !== self && meshes.every((mesh) => digest.meshes.includes(mesh)))
    .map(({ digest }) => digest.peer)
}
