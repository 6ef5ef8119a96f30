import { isLinkLocal, isLoopback, type ParsedAddress, parseAddress } from './address.ts'
import type { ConnectionLedger } from './connection-ledger.ts'
import type { DigestView } from './digest-view.ts'
import type { DialFailure } from './events.ts'
import { isRelayed, isStanding } from './link.ts'
import { withoutPeer } from './multiaddr-text.ts'
import type { LinkedPeer } from './seed-campaign.ts'
import type { SeedView } from './seed-dialler.ts'

/**
 * The linked peer that a seed's address belongs to, although that address does not answer: half the ways to it are
 * blocked. Undefined when nothing proves it, so that the seed is retried and given up as any other. What a member
 * announces proves nothing alone: any member can announce any address, and bridges have the same one on many machines.
 */
export function linkedPeerOf(
  seed: string,
  failure: DialFailure,
  seeds: readonly SeedView[],
  view: DigestView,
  ledger: ConnectionLedger,
): LinkedPeer | undefined {
  const [, named] = /\/p2p\/([^/]+)$/.exec(seed) ?? []
  if (named !== undefined) return linked(named, ledger)
  const failed = failure.addresses.map(parseAddress).filter(({ host }) => host !== '')
  const hosts = failed.map(({ host }) => host)
  const sameHost = (peer: string) => linked(peer, ledger, (host) => hosts.includes(host))
  for (const other of seeds) {
    const known = other.address === seed || isSibling(parseAddress(seed), parseAddress(other.address))
    const found = known && other.peer !== undefined ? sameHost(other.peer) : undefined
    if (found !== undefined) return found
  }
  const announcer = onlyAnnouncer(failed, view)
  if (announcer === undefined) return undefined
  // A peer that answered at an address which the operator gave is believed about its further addresses.
  const isSeed = seeds.some(({ peer }) => peer === announcer)
  return isSeed ? linked(announcer, ledger) : sameHost(announcer)
}

/** The one member that announces an address of these; two that do prove nothing. */
function onlyAnnouncer(failed: readonly ParsedAddress[], view: DigestView): string | undefined {
  const meaningful = failed.filter(({ host }) => !isLoopback(host) && !isLinkLocal(host))
  const isOneOf = (address: ParsedAddress) => meaningful.some((one) => isSame(one, address))
  const announcing = view.members().filter(({ digest }) => digest.addresses.map(parseAddress).some(isOneOf))
  const [only, another] = announcing
  return another === undefined ? only?.digest.peer : undefined
}

/** The link to this peer whose remote host fits. The host of a relayed connection is that of the relay. */
function linked(peer: string, ledger: ConnectionLedger, fits = (_host: string) => true): LinkedPeer | undefined {
  const direct = ledger.get(peer)?.links.filter((one) => isStanding(one) && one.state === 'settled' && !isRelayed(one))
  const link = direct?.find(({ info }) => fits(parseAddress(info.address).host))
  return link && { peer, address: withoutPeer(link.info.address) }
}

function isSame(a: ParsedAddress, b: ParsedAddress): boolean {
  return a.host === b.host && a.port === b.port && a.transport === b.transport
}

/** The same host and port by another transport: one process listens to both. */
function isSibling(a: ParsedAddress, b: ParsedAddress): boolean {
  return a.host !== '' && a.host === b.host && a.port === b.port && a.transport !== b.transport
}
