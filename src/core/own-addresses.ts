import {
  canonicalHost,
  isLinkLocal,
  isLoopback,
  isWildcard,
  type ParsedAddress,
  parseAddress,
  withHost,
} from './address.ts'
import type { ObservedAddress } from './dial-back.ts'
import { limits } from './limits.ts'

/** Why an own address is not announced. `bound`: more useful addresses fill the digest. */
export type WithholdReason =
  | 'link-local'
  | 'loopback'
  | 'relayed'
  | 'no-interface'
  | 'replaced'
  | 'filtered'
  | 'unconfirmed'
  | 'bound'

/** One address of this node, and whether the node announces it. */
export interface OwnAddress {
  /** Multiaddr without peer id. */
  readonly address: string
  readonly source: 'configured' | 'interface' | 'observed'
  readonly state: 'announced' | 'withheld' | 'unconfirmed' | 'cut'
  /** Why it is not announced; undefined for an announced one. */
  readonly reason?: WithholdReason | undefined
  /** Details of the reason, if any. */
  readonly detail?: string | undefined
  /** Interface with this address. */
  readonly interface?: string | undefined
}

export interface NetworkInterface {
  readonly name: string
  /** IP address. */
  readonly address: string
  /** A bridge for containers or virtual machines, usually unreachable from other machines. */
  readonly isBridge: boolean
}

/** Inputs of the announced list. IP addresses and multiaddrs as text, multiaddrs without peer id. */
export interface AddressInputs {
  /** Listening addresses with the actual ports; 0.0.0.0 and :: stand for every interface. */
  readonly listening: readonly string[]
  readonly interfaces: readonly NetworkInterface[]
  /** Configured addresses that replace all others. */
  readonly announce: readonly string[]
  /** Configured addresses that are added to all others. */
  readonly append: readonly string[]
  /** Addresses at which neighbours observe this node. */
  readonly observed: readonly ObservedAddress[]
  /** Source addresses of packets to linked peers. */
  readonly linkSources: readonly string[]
  /** Source addresses of packets to the default route. */
  readonly routeSources: readonly string[]
  /** The application's own filter. */
  readonly permits: (address: string) => boolean
}

/** Lower is more useful to a dialler. A link over a bridge goes to a container, which can reach all other addresses. */
const ranks = {
  configured: 0,
  linkSource: 1,
  observed: 2,
  routeSource: 3,
  interface: 4,
  linkedBridge: 5,
  bridge: 6,
  loopback: 7,
}

/** Guesses. Addresses reserved for interfaces without a link: three hosts with two transports. */
const unlinkedReserve = 6
/** Largest number of announced bridge addresses. */
const maxBridges = 8

interface Candidate {
  readonly address: string
  readonly parsed: ParsedAddress
  readonly source: OwnAddress['source']
  readonly rank: number
  readonly reason: WithholdReason | undefined
  readonly detail?: string | undefined
  readonly interface: string | undefined
}

/**
 * All own addresses with their states: first the announced ones by usefulness, then those that need an operator's
 * action, then the rest.
 *
 * A node announces loopback addresses only if it has no others: peers on this machine reach the other addresses too,
 * and any other machine would dial itself.
 */
export function ownAddresses(inputs: AddressInputs, max: number = limits.digestAddresses): OwnAddress[] {
  const candidates = deduplicate(candidatesOf(inputs))
  const valid = sortByUsefulness(candidates.filter(({ reason }) => reason === undefined))
  const remote = valid.filter(({ rank }) => rank !== ranks.loopback)
  const usable = remote.length > 0 ? remote : valid
  const selected = selectMostUseful(usable, max)
  const reasonOf = (candidate: Candidate): WithholdReason =>
    candidate.reason ?? (usable.includes(candidate) ? 'bound' : 'loopback')
  return [
    ...selected.map((candidate) => toOwnAddress(candidate, undefined)),
    ...candidates
      .filter((one) => !selected.includes(one))
      .map((one) => toOwnAddress(one, reasonOf(one)))
      .toSorted((a, b) => urgency(a) - urgency(b)),
  ]
}

/** A host with twenty bridges has dozens of cut addresses; an unconfirmed one must be listed before them. */
function urgency({ reason }: OwnAddress): number {
  if (reason === 'unconfirmed') return 0
  return reason === 'bound' || reason === 'loopback' || reason === 'link-local' ? 2 : 1
}

/** The announced addresses, in order. */
export function announcedAddresses(addresses: readonly OwnAddress[]): string[] {
  return addresses.filter(({ state }) => state === 'announced').map(({ address }) => address)
}

/**
 * Selects the best address of every transport and IP version, then configured addresses, some of interfaces without a
 * link, and the rest by rank.
 */
function selectMostUseful(usable: readonly Candidate[], max: number): readonly Candidate[] {
  const groupOf = ({ parsed }: Candidate) => `${parsed.transport} ${parsed.family}`
  const best = usable.filter((one, index) => usable.findIndex((other) => groupOf(other) === groupOf(one)) === index)
  const configured = usable.filter(({ rank }) => rank === ranks.configured)
  const unlinked = usable.filter(({ rank }) => rank === ranks.routeSource || rank === ranks.interface)
  const surplus = usable.filter(isBridge).slice(maxBridges)
  const rest = usable.filter((one) => !surplus.includes(one))
  const byPriority = [...best, ...configured, ...unlinked.slice(0, unlinkedReserve), ...rest]
  const selected = [...new Set(byPriority)].slice(0, max)
  return usable.filter((candidate) => selected.includes(candidate))
}

function isBridge({ rank }: Candidate): boolean {
  return rank === ranks.linkedBridge || rank === ranks.bridge
}

/** Sorts by rank; the addresses of one host stay together, so that the limit cuts hosts rather than transports. */
function sortByUsefulness(candidates: readonly Candidate[]): readonly Candidate[] {
  const plain = candidates.filter(({ rank }) => rank === ranks.interface)
  const hosts = [...interleaveKinds(plain), ...candidates.map(({ parsed }) => parsed.host)]
  const order = (one: Candidate) => hosts.indexOf(one.parsed.host)
  return candidates.toSorted((a, b) => a.rank - b.rank || order(a) - order(b))
}

/**
 * Orders the hosts of equally ranked interfaces. Kinds of interfaces alternate, the smallest kind first: there are
 * dozens of VLANs, but one tunnel. Within a kind the first and the last alternate, since the newest is last.
 */
function interleaveKinds(candidates: readonly Candidate[]): readonly string[] {
  const kinds = Map.groupBy(candidates, ({ interface: name = '' }) => name.replace(/\d+/g, ''))
  const queues = [...kinds.values()].map((kind) => interleaveEnds([...new Set(kind.map(({ parsed }) => parsed.host))]))
  const turns = queues.toSorted((a, b) => a.length - b.length)
  const longest = Math.max(0, ...turns.map(({ length }) => length))
  return Array.from({ length: longest }, (_, turn) => turns.flatMap((queue) => queue.slice(turn, turn + 1))).flat()
}

function interleaveEnds<T>(list: readonly T[]): T[] {
  const half = Math.ceil(list.length / 2)
  const fromEnd = list.slice(half).reverse()
  return list.slice(0, half).flatMap((one, index) => [one, ...fromEnd.slice(index, index + 1)])
}

function toOwnAddress(
  { address, source, detail, interface: name }: Candidate,
  reason: WithholdReason | undefined,
): OwnAddress {
  return { address, source, state: stateOf(reason), reason, detail, interface: name }
}

function stateOf(reason: WithholdReason | undefined): OwnAddress['state'] {
  if (reason === undefined) return 'announced'
  if (reason === 'bound') return 'cut'
  return reason === 'unconfirmed' ? 'unconfirmed' : 'withheld'
}

function candidatesOf(inputs: AddressInputs): Candidate[] {
  const replaced = inputs.announce.length > 0 ? 'replaced' : undefined
  const candidates: Candidate[] = []
  const add = (address: string, rest: Omit<Candidate, 'address' | 'parsed'>) => {
    const parsed = parseAddress(address)
    const reason = rest.reason ?? (inputs.permits(address) ? undefined : 'filtered')
    candidates.push({ ...rest, address, parsed, reason })
  }
  for (const address of [...inputs.announce, ...inputs.append]) {
    add(address, { source: 'configured', rank: ranks.configured, reason: undefined, interface: undefined })
  }
  for (const address of inputs.listening.flatMap((one) => expandWildcard(one, inputs.interfaces))) {
    const owner = interfaceOf(address, inputs.interfaces)
    const reason = replaced ?? unusableReason(address, owner, inputs.interfaces)
    add(address, { source: 'interface', rank: rankOf(address, owner, inputs), reason, interface: owner?.name })
  }
  for (const { address, isConfirmed, why } of inputs.observed) {
    const { host } = parseAddress(address)
    const reason = replaced ?? (isLinkLocal(host) ? 'link-local' : isConfirmed ? undefined : 'unconfirmed')
    const rank = isLoopback(host) ? ranks.loopback : ranks.observed
    const detail = reason === 'unconfirmed' ? why : undefined
    add(address, { source: 'observed', rank, reason, detail, interface: undefined })
  }
  return candidates
}

/** Of several candidates for one address a usable one wins. */
function deduplicate(candidates: readonly Candidate[]): readonly Candidate[] {
  const best = new Map<string, Candidate>()
  for (const one of candidates) {
    const other = best.get(one.address)
    const isBetter = other === undefined || (other.reason !== undefined && one.reason === undefined)
    if (isBetter) best.set(one.address, one)
  }
  return [...best.values()]
}

function expandWildcard(address: string, interfaces: readonly NetworkInterface[]): readonly string[] {
  const { host, family } = parseAddress(address)
  if (!isWildcard(host)) return [address]
  const own = interfaces.filter((one) => one.address.includes(':') === (family === 'ip6'))
  return own.map((one) => withHost(address, one.address))
}

function interfaceOf(address: string, interfaces: readonly NetworkInterface[]): NetworkInterface | undefined {
  const { host } = parseAddress(address)
  return interfaces.find((one) => canonicalHost(one.address) === host)
}

/** Why a listening address is useless to other nodes. */
function unusableReason(
  address: string,
  owner: NetworkInterface | undefined,
  interfaces: readonly NetworkInterface[],
): WithholdReason | undefined {
  const { host, family, isRelayed } = parseAddress(address)
  if (isRelayed) return 'relayed'
  if (isLinkLocal(host)) return 'link-local'
  // Without a list of interfaces the node trusts the transports.
  const isLocal = family !== 'none' && family !== 'dns'
  if (isLocal && owner === undefined && interfaces.length > 0 && !isLoopback(host)) return 'no-interface'
  return undefined
}

function rankOf(address: string, owner: NetworkInterface | undefined, inputs: AddressInputs): number {
  const { host } = parseAddress(address)
  if (isLoopback(host)) return ranks.loopback
  const [isLinked, isRoute] = [inputs.linkSources.includes(host), inputs.routeSources.includes(host)]
  // Other machines reach a host of virtual machines through the bridge with the default route.
  if (owner?.isBridge === true && !isRoute) return isLinked ? ranks.linkedBridge : ranks.bridge
  if (isLinked) return ranks.linkSource
  return isRoute ? ranks.routeSource : ranks.interface
}
