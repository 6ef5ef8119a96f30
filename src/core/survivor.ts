import { instanceOf } from './frames.ts'
import { isActive, isJoined, isRelayed, type Link } from './link.ts'

/** Why one of two links of a pair wins; `newer`: the newest connection of a guest wins. */
export type SurvivorRule = 'incarnation' | 'counter' | 'lower-peer' | 'newer' | 'incumbent'

export interface Judgement {
  readonly winner: Link
  readonly loser: Link
  readonly rule: SurvivorRule
}

/** Whether two processes of this peer, by their instances, are known to run concurrently. */
export type AreRivals = (peer: string, a: string, b: string) => boolean

/** The losers among the joined links of one peer: at most one link stays. */
export function judgeMemberLinks(
  self: string,
  { peer, links }: { readonly peer: string; readonly links: readonly Link[] },
  areRivals: AreRivals,
): Judgement[] {
  const judgements: Judgement[] = []
  links.filter(isJoined).reduce<Link | undefined>((best, link) => {
    if (best === undefined) return link
    const judgement = areLinksOfRivals(peer, best, link, areRivals)
      ? chooseFirstJoined(best, link)
      : chooseSurvivor(self, peer, best, link)
    judgements.push(judgement)
    return judgement.winner
  }, undefined)
  return judgements
}

/**
 * The losers among the connections that one guest dialled: the newest stays. The old connection of a guest that crashed
 * and came back stays open until QUIC’s idle timeout, with gossipsub on it. The mesh does not close connections of the
 * application.
 */
export function judgeGuestLinks(links: readonly Link[]): Judgement[] {
  const guestLinks = links.filter(
    (link) => isActive(link) && !isRelayed(link) && link.info.direction === 'inbound' && !link.hello,
  )
  const winner = guestLinks.at(-1)
  if (winner === undefined) return []
  const losers = guestLinks.filter((link) => link !== winner && link.kind === 'guest' && link.info.isForeign !== true)
  return losers.map((loser) => ({ winner, loser, rule: 'newer' }))
}

/**
 * Chooses the winner of two links of one pair. It uses the hellos, the directions and the two peer ids, and no times,
 * so both ends choose the same link in any order of events: a link to an earlier incarnation of the peer loses; of two
 * dials of one side the later wins; of crossed dials that of the lower peer id wins.
 */
export function chooseSurvivor(self: string, peer: string, a: Link, b: Link): Judgement {
  const incarnations = (a.hello?.incarnation ?? 0) - (b.hello?.incarnation ?? 0)
  if (incarnations !== 0) return judgement(incarnations > 0, a, b, 'incarnation')
  if (a.info.direction === b.info.direction) return judgement((a.counter ?? 0) > (b.counter ?? 0), a, b, 'counter')
  const lowerDialled = self < peer ? 'outbound' : 'inbound'
  return judgement(a.info.direction === lowerDialled, a, b, 'lower-peer')
}

/** Two processes of one identity would supersede each other forever, so the link that joined first stays. */
function chooseFirstJoined(a: Link, b: Link): Judgement {
  return judgement(a.enteredAt <= b.enteredAt, a, b, 'incumbent')
}

function areLinksOfRivals(peer: string, a: Link, b: Link, areRivals: AreRivals): boolean {
  return a.hello !== undefined && b.hello !== undefined && areRivals(peer, instanceOf(a.hello), instanceOf(b.hello))
}

function judgement(aWins: boolean, a: Link, b: Link, rule: SurvivorRule): Judgement {
  return aWins ? { winner: a, loser: b, rule } : { winner: b, loser: a, rule }
}

/** Whether the process at the other end of the loser has ended, so that nothing on that link can arrive any more. */
export function hasLoserEnded({ rule }: Judgement): boolean {
  return rule === 'incarnation' || rule === 'newer'
}

/**
 * Whether this connection carries the link to a member, or may do so soon. If the application opens another one for
 * itself meanwhile, that gets no link: its close would end the link.
 */
export function carriesLink(link: Link): boolean {
  if (!isActive(link) || link.isOverLimit) return false
  return link.kind === 'member' || (link.kind === 'unsettled' && link.info.direction === 'outbound')
}
