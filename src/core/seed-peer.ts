import type { ConnectionLedger } from './connection-ledger.ts'
import type { DigestView } from './digest-view.ts'
import type { DialFailure } from './events.ts'
import { isStanding } from './link.ts'
import { hostOf, isLocalHost, withoutPeer } from './multiaddr-text.ts'
import type { LinkedPeer } from './seed-campaign.ts'
import type { SeedView } from './seed-dialler.ts'

/**
 * The linked peer that a seed's address belongs to, although that address does not answer: half the ways to it are
 * blocked. Undefined when nothing proves it, so that the seed is retried and given up as any other.
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
  const failed = failure.addresses.map(withoutPeer)
  const hosts = failed.map(hostOf)
  const sameHost = (peer: string | undefined) => {
    const found = peer === undefined ? undefined : linked(peer, ledger)
    return found !== undefined && hosts.includes(hostOf(found.address)) ? found : undefined
  }
  for (const other of seeds) {
    const known = other.address === seed || isSibling(seed, other.address)
    const found = known ? sameHost(other.peer) : undefined
    if (found !== undefined) return found
  }
  return announcer(failed, view, ledger)
}

/** The one member that announces an address of these, if it is linked; two that do prove nothing. */
function announcer(failed: readonly string[], view: DigestView, ledger: ConnectionLedger): LinkedPeer | undefined {
  const meaningful = failed.filter((address) => !isLocalHost(hostOf(address)))
  const announcing = view
    .members()
    .filter(({ digest }) => digest.addresses.some((address) => meaningful.includes(withoutPeer(address))))
  const [only, another] = announcing
  return only === undefined || another !== undefined ? undefined : linked(only.digest.peer, ledger)
}

function linked(peer: string, ledger: ConnectionLedger): LinkedPeer | undefined {
  const link = ledger.get(peer)?.links.find((one) => isStanding(one) && one.state === 'settled')
  return link && { peer, address: withoutPeer(link.fact.address) }
}

/** The same host and port by another transport: whoever runs both listens to both. */
function isSibling(a: string, b: string): boolean {
  const [one, other] = [partsOf(a), partsOf(b)]
  return one.host === other.host && one.port === other.port && one.transport !== other.transport
}

function partsOf(address: string) {
  const [, kind = '', host, transport, port] = address.split('/')
  return { host: kind.startsWith('dns') ? `name ${host}` : host, transport, port }
}
