import { isActive, isRelayed, type Link } from './link.ts'

/** Whether this connection carries the link to a member, or may do so soon. */
export function carriesLink(link: Link): boolean {
  if (!isActive(link) || link.isOverLimit) return false
  return link.kind === 'member' || (link.kind === 'unsettled' && link.info.direction === 'outbound')
}

/**
 * The old connection of a guest that crashed and came back stays open until QUIC’s idle timeout, with gossipsub on it.
 * Of the connections that a guest dialled, the newest stays. The mesh does not close connections of the application.
 */
export function guestSuccession(links: readonly Link[]): { newest: Link | undefined; older: readonly Link[] } {
  const guestLinks = links.filter(
    (link) => isActive(link) && !isRelayed(link) && link.info.direction === 'inbound' && !link.hello,
  )
  const newest = guestLinks.at(-1)
  const older = guestLinks.filter((link) => link !== newest && link.kind === 'guest' && link.info.isForeign !== true)
  return { newest, older }
}
