import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { emitSpan, type SpanEffect } from '../../catalogue/span-effect.ts'
import { canonicalHost, isWildcard, parseAddress, withHost } from '../../core/address.ts'
import type { Clock } from '../../core/machine.ts'
import {
  type AddressInputs,
  announcedAddresses,
  type NetworkInterface,
  type OwnAddress,
  ownAddresses,
} from '../../core/own-addresses.ts'
import type { Owner } from '../../core/owner.ts'
import type { TracemeshComponents } from '../components.ts'
import { withoutPeer } from '../multiaddrs.ts'
import { defaultRouteTargets, interfaceReader, sourceAddress } from './interfaces.ts'

export interface Listening {
  readonly addresses: readonly string[]
  readonly hosts: readonly string[]
  readonly canRequest: boolean
}

interface AddressWatchOptions {
  readonly components: TracemeshComponents
  readonly owner: Owner
  readonly clock: Clock
  /** Remote multiaddrs of the member links. */
  readonly remotes: () => readonly string[]
  /** Addresses at which neighbours observe this node. */
  readonly observed: () => AddressInputs['observed']
  readonly onChange: () => void
  /** Listen addresses and hosts of own interfaces; `canRequest`: the node would announce an observed address. */
  readonly onListening: (listening: Listening) => void
  readonly emitSpan: (span: SpanEffect) => void
  /** The machine's interfaces and routes by default. */
  readonly interfaces?: () => readonly NetworkInterface[]
  readonly sourceAddress?: (host: string, owner: Owner) => Promise<string | undefined>
}

/** Node has no event for interfaces. With a digest every 2 s other nodes learn of a change within 8 s. */
const pollMs = 5_000
/** The system's routes may change while its addresses do not, so the list is recomputed at this interval. */
const routesMaxAgeMs = 30_000
/** Remote hosts to look up: enough for every interface that has a link. */
const maxRemotes = 32
/** Addresses in one span. */
const maxListed = 32
/** Transports start to listen one after the other, within one start. */
const debounceMs = 50
const nothingAnnounced = '|'

/**
 * Keeps the list of own addresses current: the listen addresses, expanded to the current interfaces. The list goes into
 * the digest, into a span, and into identify if libp2p has the mesh's announce filter.
 */
export class AddressWatch {
  readonly #options: AddressWatchOptions
  readonly #interfaces: () => readonly NetworkInterface[]
  #addresses: readonly OwnAddress[] = []
  #linkSources: readonly string[] = []
  #routeSources: readonly string[] = []
  #routesKey = ''
  #routesReadAt = -Infinity
  #isLookingUpRoutes = false
  #isRefreshScheduled = false
  #lastPoll = ''
  #lastSpanKey = nothingAnnounced

  constructor(options: AddressWatchOptions) {
    this.#options = options
    this.#interfaces = options.interfaces ?? interfaceReader()
  }

  /** The own addresses at this moment: a reading announces no change. */
  get addresses(): readonly OwnAddress[] {
    return ownAddresses(this.#inputs())
  }

  /** The announced ones of `addresses`, as other nodes dial them; by default those of the last poll, as in digests. */
  announced(addresses = this.#addresses): string[] {
    return announcedAddresses(addresses).map(
      (address) => `${address}/p2p/${this.#options.components.peerId.toString()}`,
    )
  }

  /** Whether this node itself listens at this multiaddr; with or without a peer id. */
  isOwn(address: string): boolean {
    const bare = address.replace(/\/p2p\/.*$/, '')
    return this.#addresses.some((own) => own.source === 'interface' && own.address === bare)
  }

  start(): void {
    const { components, owner } = this.#options
    const { events } = components
    const onHint = () => this.#scheduleRefresh()
    events.addEventListener('transport:listening', onHint)
    events.addEventListener('transport:close', onHint)
    // AutoNAT, UPnP or AutoTLS verified or lost an address.
    events.addEventListener('self:peer:update', onHint)
    owner.adopt('address listener', () => {
      events.removeEventListener('transport:listening', onHint)
      events.removeEventListener('transport:close', onHint)
      events.removeEventListener('self:peer:update', onHint)
    })
    this.#refresh()
    owner.every(pollMs, () => {
      if (this.#hasChanged()) this.#refresh()
    })
  }

  /** Recomputes the list, and announces a change. */
  #refresh(): void {
    const { owner, onChange, onListening } = this.#options
    if (owner.closed) return
    const before = this.#addresses
    const inputs = this.#inputs()
    this.#addresses = ownAddresses(inputs)
    const hosts = inputs.interfaces.map(({ address }) => canonicalHost(address))
    onListening({ addresses: inputs.listening, hosts, canRequest: inputs.announce.length === 0 })
    this.#lookUpRoutes()
    const [announcedBefore, announcedNow] = [announcedAddresses(before), announcedAddresses(this.#addresses)]
    this.#emitChange(announcedBefore, announcedNow)
    if (announcedBefore.join() === announcedNow.join()) return
    this.#updateIdentify()
    onChange()
  }

  #scheduleRefresh(): void {
    const { owner } = this.#options
    if (this.#isRefreshScheduled || owner.closed) return
    this.#isRefreshScheduled = true
    owner.after(debounceMs, () => {
      this.#isRefreshScheduled = false
      this.#refresh()
    })
  }

  /** Whether inputs without an event changed since the last poll. To compute the list costs five times this check. */
  #hasChanged(): boolean {
    const { clock, remotes, observed } = this.#options
    const snapshot = JSON.stringify([this.#interfaces(), remotes(), observed()])
    const isCurrent = snapshot === this.#lastPoll && clock.now() - this.#routesReadAt < routesMaxAgeMs
    this.#lastPoll = snapshot
    return !isCurrent
  }

  #inputs(): AddressInputs {
    const { addressManager, transportManager } = this.#options.components
    const filter = filterOf(addressManager)
    return {
      listening: listeningAddresses(addressManager.getListenAddrs().map(String), transportManager.getListeners()),
      interfaces: this.#interfaces(),
      announce: addressManager.getAnnounceAddrs().map(withoutPeer),
      append: verifiedElsewhere(addressManager).map(withoutPeer),
      observed: this.#options.observed(),
      linkSources: this.#linkSources,
      routeSources: this.#routeSources,
      permits: filter === undefined || isMeshFilter(filter) ? () => true : (address) => permits(filter, address),
    }
  }

  /** Queries the system for source addresses again if interfaces or links changed. */
  #lookUpRoutes(): void {
    const { clock, owner, remotes, sourceAddress: sourceOf = sourceAddress } = this.#options
    const hosts = [...new Set(remotes().map((remote) => parseAddress(remote).host))].filter((host) => host !== '')
    const own = this.#addresses.map(({ address }) => parseAddress(address).host)
    const routesKey = [...hosts, '|', ...new Set(own)].join()
    const isFresh = routesKey === this.#routesKey && clock.now() - this.#routesReadAt < routesMaxAgeMs
    if (isFresh || this.#isLookingUpRoutes) return
    this.#isLookingUpRoutes = true
    const sources = (some: readonly string[]) => Promise.all(some.map((host) => sourceOf(host, owner)))
    void Promise.all([sources(hosts.slice(0, maxRemotes)), sources(defaultRouteTargets)]).then(([links, routes]) => {
      this.#isLookingUpRoutes = false
      this.#routesKey = routesKey
      this.#routesReadAt = clock.now()
      const before = [this.#linkSources, this.#routeSources].join('|')
      this.#linkSources = distinctHosts(links)
      this.#routeSources = distinctHosts(routes)
      if (before !== [this.#linkSources, this.#routeSources].join('|')) this.#refresh()
    })
  }

  /** Makes identify answer with this list; the change of the own peer record also triggers identify push. */
  #updateIdentify(): void {
    const { addressManager, peerStore, peerId } = this.#options.components
    const filter = filterOf(addressManager)
    if (!isMeshFilter(filter)) return
    filter.meshAddresses = this.announced().map((address) => multiaddr(address))
    const multiaddrs = addressManager.getAddresses().map((address) => multiaddr(withoutPeer(address)))
    peerStore.patch(peerId, { multiaddrs }).catch(() => {})
  }

  /** Emits one span per change of the announced or withheld addresses; a change of order emits none. */
  #emitChange(before: readonly string[], after: readonly string[]): void {
    const withheld = this.#addresses.filter(({ state, reason }) => state !== 'announced' && reason !== 'link-local')
    const keys = withheld.map(({ address, reason }) => `${address} ${reason}`)
    const texts = withheld.map(({ address, reason, detail }) => [address, reason, detail].join(' ').trim())
    const spanKey = [...after.toSorted(), nothingAnnounced, ...keys.toSorted()].join('')
    if (spanKey === this.#lastSpanKey) return
    this.#lastSpanKey = spanKey
    this.#options.emitSpan(
      emitSpan('mesh.address.changed', {
        'mesh.address.announced': after,
        'mesh.address.added': after.filter((address) => !before.includes(address)),
        'mesh.address.removed': before.filter((address) => !after.includes(address)),
        'mesh.address.withheld': texts.slice(0, maxListed),
        'mesh.address.cut': withheld.filter(({ state }) => state === 'cut').length,
      }),
    )
  }
}

function distinctHosts(hosts: readonly (string | undefined)[]): string[] {
  return [...new Set(hosts.flatMap((host) => (host === undefined ? [] : [canonicalHost(host)])))]
}

/** Addresses that the application appends or that its AutoNAT, UPnP or AutoTLS verified. */
function verifiedElsewhere(addressManager: TracemeshComponents['addressManager']): Multiaddr[] {
  const addresses = addressManager.getAddressesWithMetadata()
  return addresses.filter(({ type, verified }) => verified && type !== 'transport').map((one) => one.multiaddr)
}

function permits(filter: (addresses: Multiaddr[]) => Multiaddr[], address: string): boolean {
  try {
    return filter([multiaddr(address)]).length > 0
  } catch {
    return true
  }
}

/** The addresses of one libp2p listener, wildcards expanded. */
interface Listener {
  getAddrs(): readonly { toString(): string }[]
}

/**
 * The listen addresses of the transports, with real ports. Listeners expand wildcards, and QUIC's list of interfaces
 * dates from the load of its module. So this returns the configured wildcard, and the caller expands it again.
 */
export function listeningAddresses(configured: readonly string[], listeners: readonly Listener[]): string[] {
  const lists = listeners.map((listener) => listener.getAddrs().map(String))
  // A listener that found no interface at its start has no address, but the configuration may name its port.
  const hasNameless = lists.some((list) => list.length === 0)
  const fixedPorts = configured.filter((one) => isWildcard(parseAddress(one).host) && parseAddress(one).port !== 0)
  return [
    ...new Set([...lists.flatMap((list) => listenerAddresses(configured, list)), ...(hasNameless ? fixedPorts : [])]),
  ]
}

function listenerAddresses(configured: readonly string[], addresses: readonly string[]): readonly string[] {
  const [first] = addresses
  if (first === undefined) return []
  const { family, transport, isRelayed } = parseAddress(first)
  const sameTransport = configured.filter(
    (one) => parseAddress(one).family === family && parseAddress(one).transport === transport,
  )
  const isExplicit = addresses.length === 1 && sameTransport.some((one) => matches(one, first))
  const wildcard = sameTransport.find((one) => isWildcard(parseAddress(one).host))
  const isExpanded = addresses.length > 1 || (wildcard !== undefined && !isExplicit)
  if (!isExpanded || isRelayed || (family !== 'ip4' && family !== 'ip6')) return addresses
  return [withHost(first, family === 'ip4' ? '0.0.0.0' : '::')]
}

/** Port 0 matches any port. */
function matches(configured: string, actual: string): boolean {
  const [expected, found] = [parseAddress(configured), parseAddress(actual)]
  return expected.host === found.host && (expected.port === 0 || expected.port === found.port)
}

/** libp2p's `addresses.announceFilter`: identify and `getMultiaddrs()` return its result. */
type Filter = (addresses: Multiaddr[]) => Multiaddr[]

/**
 * A filter that returns the mesh's own list, once it exists, instead of libp2p's. Relayed addresses stay: digests leave
 * them out, but other libp2p peers can use a relay reservation of the application.
 */
interface AnnounceFilter extends Filter {
  meshAddresses: readonly Multiaddr[] | undefined
}

/** For `createLibp2p`: the mesh service finds the filter there and updates its list. */
export function announceFilter(): AnnounceFilter {
  const filter: AnnounceFilter = Object.assign(
    (addresses: Multiaddr[]) => withRelayed(filter.meshAddresses ?? addresses, addresses),
    { meshAddresses: undefined },
  )
  return filter
}

function withRelayed(list: readonly Multiaddr[], addresses: readonly Multiaddr[]): Multiaddr[] {
  const relayed = addresses.filter((address) => parseAddress(address.toString()).isRelayed)
  return [...list, ...relayed.filter((one) => !list.some((other) => other.equals(one)))]
}

/**
 * The announce filter of this libp2p. libp2p has no getter, so this reads the field; without it the mesh announces the
 * same addresses in digests, and identify keeps libp2p's list.
 */
function filterOf(addressManager: object): Filter | AnnounceFilter | undefined {
  const { announceFilter: filter } = addressManager as { announceFilter?: unknown }
  return typeof filter === 'function' ? (filter as Filter) : undefined
}

function isMeshFilter(filter: Filter | AnnounceFilter | undefined): filter is AnnounceFilter {
  return filter !== undefined && 'meshAddresses' in filter
}
