import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { emitSpan, type SpanEffect } from '../catalogue/span-effect.ts'
import { canonicalHost, parseAddress } from '../core/address.ts'
import type { Clock } from '../core/machine.ts'
import {
  type AddressInputs,
  announcedAddresses,
  type NetworkInterface,
  type OwnAddress,
  ownAddresses,
} from '../core/own-addresses.ts'
import type { Owner } from '../core/owner.ts'
import { filterOf, isMeshFilter } from './announce-filter.ts'
import type { TracemeshComponents } from './components.ts'
import { interfaceReader } from './interfaces.ts'
import { listeningAddresses } from './listening.ts'
import { withoutPeer } from './multiaddrs.ts'
import { defaultRouteTargets, sourceAddress } from './routes.ts'

export interface Listening {
  readonly addresses: readonly string[]
  readonly hosts: readonly string[]
  readonly canRequest: boolean
}

export interface AddressWatchOptions {
  readonly components: TracemeshComponents
  readonly owner: Owner
  readonly clock: Clock
  /** Remote multiaddrs of the member links. */
  readonly remotes: () => readonly string[]
  /** Addresses at which neighbours see this node. */
  readonly observed: () => AddressInputs['observed']
  readonly changed: (addresses: readonly OwnAddress[]) => void
  /** Where the transports listen, hosts of own interfaces; `canRequest`: an observed address would be announced. */
  readonly listening: (listening: Listening) => void
  readonly emitSpan: (span: SpanEffect) => void
  /** The machine's interfaces and routes by default. */
  readonly interfaces?: () => readonly NetworkInterface[]
  readonly sourceAddress?: (host: string, owner: Owner) => Promise<string | undefined>
}

/** Node has no event for interfaces. With a digest every 2 s others know of a change within 8 s. */
const pollMs = 5_000
/** The system's routes may change although its addresses do not, and then the whole list is computed anew. */
const routesAgainMs = 30_000
/** Remote hosts that are looked up: enough for every interface that has a link. */
const remotesMax = 32
/** Addresses in one span. */
const listedMax = 32
/** Transports begin to listen one after the other, within one start. */
const settleMs = 50
const nothingAnnounced = '|'

/**
 * Keeps the list of own addresses current: what the transports listen at, on the interfaces as they are now. The list
 * goes into the digest, into identify where libp2p was made with the mesh's announce filter, and into a span.
 */
export class AddressWatch {
  readonly #options: AddressWatchOptions
  readonly #interfaces: () => readonly NetworkInterface[]
  #addresses: readonly OwnAddress[] = []
  #linkSources: readonly string[] = []
  #routeSources: readonly string[] = []
  #routesOf = ''
  #routesAt = -Infinity
  #lookingUp = false
  #hinted = false
  #polled = ''
  #spanOf = nothingAnnounced

  constructor(options: AddressWatchOptions) {
    this.#options = options
    this.#interfaces = options.interfaces ?? interfaceReader()
  }

  get addresses(): readonly OwnAddress[] {
    return this.#addresses
  }

  /** The announced ones, as others dial them. */
  announced(): string[] {
    return announcedAddresses(this.#addresses).map(
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
    const hint = () => this.#refreshSoon()
    events.addEventListener('transport:listening', hint)
    events.addEventListener('transport:close', hint)
    // AutoNAT, UPnP or AutoTLS has verified an address, or lost one.
    events.addEventListener('self:peer:update', hint)
    owner.adopt('address listener', () => {
      events.removeEventListener('transport:listening', hint)
      events.removeEventListener('transport:close', hint)
      events.removeEventListener('self:peer:update', hint)
    })
    this.refresh()
    this.#poll()
  }

  /** Computes the list anew. */
  refresh(): void {
    const { owner, changed } = this.#options
    if (owner.closed) return
    const before = this.#addresses
    this.#addresses = this.#compute()
    this.#lookUpRoutes()
    const [was, is] = [announcedAddresses(before), announcedAddresses(this.#addresses)]
    this.#emitChange(was, is)
    if (was.join() === is.join()) return
    this.#updateIdentify()
    changed(this.#addresses)
  }

  #refreshSoon(): void {
    const { owner } = this.#options
    if (this.#hinted || owner.closed) return
    this.#hinted = true
    owner.after(settleMs, () => {
      this.#hinted = false
      this.refresh()
    })
  }

  #poll(): void {
    const { owner } = this.#options
    if (owner.closed) return
    owner.after(pollMs, () => {
      if (this.#hasChanged()) this.refresh()
      this.#poll()
    })
  }

  /** Whether anything that has no event is not as at the last poll. To compute the list costs five times this look. */
  #hasChanged(): boolean {
    const { clock, remotes, observed } = this.#options
    const polled = JSON.stringify([this.#interfaces(), remotes(), observed()])
    const isCurrent = polled === this.#polled && clock.now() - this.#routesAt < routesAgainMs
    this.#polled = polled
    return !isCurrent
  }

  #compute(): OwnAddress[] {
    const { addressManager, transportManager } = this.#options.components
    const filter = filterOf(addressManager)
    const listening = listeningAddresses(addressManager.getListenAddrs().map(String), transportManager.getListeners())
    const interfaces = this.#interfaces()
    const announce = addressManager.getAnnounceAddrs().map(withoutPeer)
    const hosts = interfaces.map(({ address }) => canonicalHost(address))
    this.#options.listening({ addresses: listening, hosts, canRequest: announce.length === 0 })
    return ownAddresses({
      listening,
      interfaces,
      announce,
      append: verifiedElsewhere(addressManager).map(withoutPeer),
      observed: this.#options.observed(),
      linkSources: this.#linkSources,
      routeSources: this.#routeSources,
      permits: filter === undefined || isMeshFilter(filter) ? () => true : (address) => permits(filter, address),
    })
  }

  /** Asks the system for source addresses again, when interfaces or links are others than at the last time. */
  #lookUpRoutes(): void {
    const { clock, owner, remotes, sourceAddress: sourceOf = sourceAddress } = this.#options
    const hosts = [...new Set(remotes().map((remote) => parseAddress(remote).host))].filter((host) => host !== '')
    const own = this.#addresses.map(({ address }) => parseAddress(address).host)
    const routesOf = [...hosts, '|', ...new Set(own)].join()
    const isFresh = routesOf === this.#routesOf && clock.now() - this.#routesAt < routesAgainMs
    if (isFresh || this.#lookingUp) return
    this.#lookingUp = true
    const sources = (some: readonly string[]) => Promise.all(some.map((host) => sourceOf(host, owner)))
    void Promise.all([sources(hosts.slice(0, remotesMax)), sources(defaultRouteTargets)]).then(([links, routes]) => {
      this.#lookingUp = false
      this.#routesOf = routesOf
      this.#routesAt = clock.now()
      const before = [this.#linkSources, this.#routeSources].join('|')
      this.#linkSources = distinctHosts(links)
      this.#routeSources = distinctHosts(routes)
      if (before !== [this.#linkSources, this.#routeSources].join('|')) this.refresh()
    })
  }

  /** Identify answers with this list from now on; a running identify push sends it, since the own peer record changes. */
  #updateIdentify(): void {
    const { addressManager, peerStore, peerId } = this.#options.components
    const filter = filterOf(addressManager)
    if (!isMeshFilter(filter)) return
    filter.meshAddresses = this.announced().map((address) => multiaddr(address))
    const multiaddrs = addressManager.getAddresses().map((address) => multiaddr(withoutPeer(address)))
    peerStore.patch(peerId, { multiaddrs }).catch(() => {})
  }

  /** One span for a change of what is announced or of what is not; a mere change of order is none. */
  #emitChange(was: readonly string[], is: readonly string[]): void {
    const withheld = this.#addresses.filter(({ state, reason }) => state !== 'announced' && reason !== 'link-local')
    const keys = withheld.map(({ address, reason }) => `${address} ${reason}`)
    const texts = withheld.map(({ address, reason, detail }) => [address, reason, detail].join(' ').trim())
    const spanOf = [...is.toSorted(), nothingAnnounced, ...keys.toSorted()].join('')
    if (spanOf === this.#spanOf) return
    this.#spanOf = spanOf
    this.#options.emitSpan(
      emitSpan('mesh.address.changed', {
        'mesh.address.announced': is,
        'mesh.address.added': is.filter((address) => !was.includes(address)),
        'mesh.address.removed': was.filter((address) => !is.includes(address)),
        'mesh.address.withheld': texts.slice(0, listedMax),
        'mesh.address.cut': withheld.filter(({ state }) => state === 'cut').length,
      }),
    )
  }
}

function distinctHosts(hosts: readonly (string | undefined)[]): string[] {
  return [...new Set(hosts.flatMap((host) => (host === undefined ? [] : [canonicalHost(host)])))]
}

/** What the application adds, and what its own AutoNAT, UPnP or AutoTLS has found and verified. */
function verifiedElsewhere(addressManager: TracemeshComponents['addressManager']): Multiaddr[] {
  const known = addressManager.getAddressesWithMetadata()
  return known.filter(({ type, verified }) => verified && type !== 'transport').map((one) => one.multiaddr)
}

function permits(filter: (addresses: Multiaddr[]) => Multiaddr[], address: string): boolean {
  try {
    return filter([multiaddr(address)]).length > 0
  } catch {
    return true
  }
}
