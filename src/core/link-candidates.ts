import { isActive, isRelayed, type Link } from './link.ts'

/** It is the link to a member, or it is known soon whether it is. */
export function carriesLink(link: Link): boolean {
  if (!isActive(link) || link.isOverCapacity) return false
  return link.kind === 'member' || (link.kind === 'unsettled' && link.info.direction === 'outbound')
}

/**
 * A guest that comes back after a crash leaves its old connection open for as long as QUIC’s idle timeout, and
 * gossipsub on it. Of the connections that a guest dialled the newest stays; the application's own are not the mesh's
 * to choose from.
 */
export function guestSuccession(links: readonly Link[]): { newest: Link | undefined; older: readonly Link[] } {
  const guestLinks = links.filter(
    (link) => isActive(link) && !isRelayed(link) && link.info.direction === 'inbound' && !link.hello,
  )
  const newest = guestLinks.at(-1)
  const older = guestLinks.filter((link) => link !== newest && link.kind === 'guest' && link.info.foreign !== true)
  return { newest, older }
}
