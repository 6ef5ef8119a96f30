import { isLinkLocal, isLoopback, type ParsedAddress, parseAddress } from './address.ts'
import type { ConnectionLedger } from './connection-ledger.ts'
import type { DigestView } from './digest-view.ts'
import type { DialFailure } from './events.ts'
import { isActive, isRelayed } from './link.ts'
import type { SeedView } from './seed-dialler.ts'

/** The peer behind a seed's address, and the address through which it is linked. */
export interface LinkedPeer {
  readonly peer: string
  readonly address: string
}

/**
 * The linked peer behind a seed's address that does not answer. Undefined without proof, so that the node retries the
 * seed and gives it up like any other. An announcement alone proves nothing: any member can announce any address, and
 * network bridges have the same address on many machines.
 */
export function findLinkedPeer(
  seed: string,
  failure: DialFailure,
  seeds: readonly SeedView[],
  view: DigestView,
  ledger: ConnectionLedger,
): LinkedPeer | undefined {
  const [, peerId] = /\/p2p\/([^/]+)$/.exec(seed) ?? []
  if (peerId !== undefined) return findLink(peerId, ledger)
  const failed = failure.addresses.map(parseAddress).filter(({ host }) => host !== '')
  const hosts = failed.map(({ host }) => host)
  const sameHost = (peer: string) => findLink(peer, ledger, (host) => hosts.includes(host))
  for (const other of seeds) {
    const isCandidate = other.address === seed || isSibling(parseAddress(seed), parseAddress(other.address))
    const link = isCandidate && other.peer !== undefined ? sameHost(other.peer) : undefined
    if (link !== undefined) return link
  }
  const announcer = onlyAnnouncer(failed, view)
  if (announcer === undefined) return undefined
  // A peer that answered at a configured address is trusted about its further addresses.
  const isSeed = seeds.some(({ peer }) => peer === announcer)
  return isSeed ? findLink(announcer, ledger) : sameHost(announcer)
}

/** The only member that announces one of these addresses; two members prove nothing. */
function onlyAnnouncer(failed: readonly ParsedAddress[], view: DigestView): string | undefined {
  const meaningful = failed.filter(({ host }) => !isLoopback(host) && !isLinkLocal(host))
  const isOneOf = (address: ParsedAddress) => meaningful.some((one) => isSame(one, address))
  const announcing = view.members().filter(({ digest }) => digest.addresses.map(parseAddress).some(isOneOf))
  const [only, another] = announcing
  return another === undefined ? only?.digest.peer : undefined
}

/** The link to this peer with a matching remote host. A relayed connection has the host of its relay. */
function findLink(peer: string, ledger: ConnectionLedger, isHost = (_host: string) => true): LinkedPeer | undefined {
  const direct = ledger.get(peer)?.links.filter((one) => isActive(one) && one.state === 'settled' && !isRelayed(one))
  const link = direct?.find(({ info }) => isHost(parseAddress(info.address).host))
  return link && { peer, address: link.address }
}

function isSame(a: ParsedAddress, b: ParsedAddress): boolean {
  return a.host === b.host && a.port === b.port && a.transport === b.transport
}

/** The same host and port with another transport: one process listens on both. */
function isSibling(a: ParsedAddress, b: ParsedAddress): boolean {
  return a.host !== '' && a.host === b.host && a.port === b.port && a.transport !== b.transport
}
