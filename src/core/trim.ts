import type { ConnectionInfo } from './events.ts'
import { isRelayed } from './link.ts'
import type { PeerRecord } from './peer-records.ts'

/**
 * A guest of this age may be closed: a younger one may still say hello, which takes long on a starved machine, or begin
 * to gossip. The grace period of go-libp2p’s connection manager.
 */
const graceMs = 60_000
/** Between two trims: one costs a pass over all peers. */
export const trimIntervalMs = 10_000

/**
 * The guests to close so that `excess` places become free: those without gossip and without a stream of an application
 * first, and of those alike the newest, since who has stayed stays longest. A guest that may still say hello, a
 * connection of the application, and a peer that `isNeeded` stay; so does every member, as the other end needs it.
 */
export function chooseTrimmed(
  records: Iterable<PeerRecord>,
  connections: readonly ConnectionInfo[],
  excess: number,
  isNeeded: (peer: string) => boolean,
  now: number,
): readonly PeerRecord[] {
  if (excess <= 0) return []
  const busyPeers = new Set(connections.filter(({ isIdle }) => isIdle !== true).map(({ peer }) => peer))
  const candidates = [...records].filter((record) => isTrimmable(record, now) && !isNeeded(record.peer))
  const openedAt = (record: PeerRecord) => Math.max(...record.links.map((link) => link.openedAt))
  const isBusy = ({ peer }: PeerRecord) => Number(busyPeers.has(peer))
  return candidates.toSorted((a, b) => isBusy(a) - isBusy(b) || openedAt(b) - openedAt(a)).slice(0, excess)
}

function isTrimmable({ links }: PeerRecord, now: number): boolean {
  const direct = links.filter((link) => !isRelayed(link))
  return (
    direct.length > 0 &&
    direct.every(
      (link) =>
        link.kind === 'guest' &&
        link.state === 'settled' &&
        link.info.isForeign !== true &&
        now - link.openedAt >= graceMs,
    )
  )
}
