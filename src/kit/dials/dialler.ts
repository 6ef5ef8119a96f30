import type { Connection, PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { CODE_P2P, CODE_QUIC_V1, type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import type { DialFailure, DialStage, NetworkEffect, NetworkEvent, PathReport } from '../../core/events.ts'
import { limits } from '../../core/limits.ts'
import type { Clock } from '../../core/machine.ts'
import type { Owner } from '../../core/owner.ts'
import { pause } from '../clock.ts'
import type { NetworkComponents } from '../components.ts'
import type { ConnectionRecord, Connections } from '../connections/connections.ts'
import { hasProtocol, isRelayed, type Lookup, resolve, withoutPeer } from '../multiaddrs.ts'
import { type AttemptEvents, DialAttempt, type DialOutcome, type TriedPaths } from './dial-attempt.ts'
import { type AddressFailure, cutMessage, explainSelfDial, failureOf, summarizeFailures } from './dial-failure.ts'

type SeedDial = Extract<NetworkEffect, { do: 'dial.seed' }>
type PeerDial = Extract<NetworkEffect, { do: 'dial.peer' }>

interface Target {
  readonly peer: PeerId | undefined
  readonly addresses: readonly Multiaddr[]
  readonly limitMs: number
  /** A connection to this peer over another address does not count. */
  readonly fresh?: boolean
}

type Result =
  /** `elsewhere`: the address of an existing connection, if it is not one of the requested ones. */
  | { readonly ok: true; readonly peer: string; readonly address: string; readonly elsewhere?: string }
  | { readonly ok: false; readonly failures: readonly AddressFailure[]; readonly addresses: readonly string[] }

interface DiallerOptions {
  readonly components: NetworkComponents
  readonly owner: Owner
  readonly clock: Clock
  readonly connections: Connections
  readonly lookup: Lookup
  /** Whether this node itself listens at a multiaddr. */
  readonly isOwn: (address: string) => boolean
  readonly deliver: (event: NetworkEvent) => void
  /** Called for each address whose dial failed. */
  readonly onFailure?: ((failure: AddressFailure) => void) | undefined
  /** The application may dial the same peers; the dialler then uses its connection instead of a second one. */
  readonly yieldsToApp?: boolean
  /** Leaves a connection to the application that uses it. */
  readonly leaveToApp: (record: ConnectionRecord) => void
}

/** Interval at which the dialler polls the application’s dial. */
const pollMs = 50

/** How long the mesh waits for the application’s dial of the same peer before it dials as well. Guess. */
const appDialWaitMs = 3_000

/** The target of a dial; for a seed the peer id may be unknown. */
interface DialTarget {
  readonly peer: PeerId | undefined
  readonly addresses: readonly Multiaddr[]
}

/** Dials seeds and peers; each dial delivers one result within its limit. */
export class Dialler {
  readonly #options: DiallerOptions
  #inFlight = 0

  constructor(options: DiallerOptions) {
    this.#options = options
  }

  dialSeed({ seed, limitMs, fresh }: SeedDial): void {
    const answer = (result: Result) => this.#options.deliver(seedAnswer(seed, result))
    this.#run(seed, limitMs, () => ({ ...parseTarget([seed], undefined, limitMs), fresh: fresh === true }), answer)
  }

  dialPeer({ peer, addresses, limitMs }: PeerDial): void {
    const answer = (result: Result) => this.#options.deliver(peerAnswer(peer, result))
    // Bridges and private networks have the same addresses on many hosts: such an address may lead to this node itself.
    const elsewhere = addresses.filter((address) => !this.#options.isOwn(address))
    this.#run(peer, limitMs, () => parseTarget(elsewhere, peerIdFromString(peer), limitMs), answer)
  }

  #run(name: string, limitMs: number, parse: () => Target, answer: (result: Result) => void): void {
    if (this.#inFlight >= limits.dials) {
      queueMicrotask(() => answer(failure([], 'dial', 'TooManyDials', `${limits.dials} dials are under way`)))
      return
    }
    const owner = this.#options.owner.child(`dial ${name}`)
    this.#inFlight++
    let hasEnded = false
    const end = (result: Result, keepOwner = false) => {
      if (hasEnded || owner.closed) return
      hasEnded = true
      this.#inFlight--
      if (!keepOwner) void owner.close()
      if (!result.ok) for (const one of result.failures) this.#options.onFailure?.(one)
      answer(result)
    }
    const timeout = failure([], 'resolve', 'TimeoutError', `no addresses within ${limitMs} ms`)
    const cancel = owner.after(limitMs, () => end(timeout))
    this.#attempt(owner, parse, cancel, end).catch((error: unknown) =>
      end({ ok: false, failures: [failureOf(error, 'resolve')], addresses: [] }),
    )
  }

  async #attempt(owner: Owner, parse: () => Target, cancel: () => void, end: End) {
    const { components, clock, lookup, deliver } = this.#options
    const { peer, addresses, limitMs, fresh } = parse()
    const until = clock.now() + limitMs
    if (peer?.equals(components.peerId)) {
      await Promise.resolve()
      return end(failure(addresses.map(String), 'dial', 'SelfDial', 'the peer id is our own'))
    }
    const { resolved, failures } = await resolveAll(addresses, lookup)
    if (owner.closed) return
    const triedAddresses = resolved.map(String)
    const target = { peer, addresses: resolved }
    const existing = await this.#findConnection(owner, target)
    if (owner.closed) return
    if (existing !== undefined && !(fresh && existing.elsewhere !== undefined)) return end(existing)
    const isDenied = peer !== undefined && (await components.connectionGater?.denyDialPeer?.(peer)) === true
    const { transportManager } = components
    // The mesh opens no link stream on a relayed connection.
    const dialableAddresses = resolved.filter(
      (address) => !isRelayed(address) && transportManager.dialTransportForMultiaddr(address),
    )
    const dialable = isDenied ? [] : quicFirst(dialableAddresses)
    if (owner.closed) return
    if (dialable.length === 0) {
      if (failures.length > 0) return end({ ok: false, failures, addresses: triedAddresses })
      if (isDenied)
        return end(failure(triedAddresses, 'dial', 'DialDeniedError', 'the connection gater denies this peer'))
      return end(failure(triedAddresses, 'dial', 'NoDialableAddress', 'no transport can dial the address'))
    }
    cancel()
    let reachedPeer = ''
    const onDuplicate = ({ id }: Connection) =>
      deliver({ type: 'connection.rejected', connection: id, reason: 'duplicate' })
    const onDone = (outcome: DialOutcome) => {
      if (!outcome.ok)
        return end({ ok: false, failures: [...outcome.failures, ...failures], addresses: triedAddresses })
      outcome.others.forEach(onDuplicate)
      reachedPeer = outcome.connection.remotePeer.toString()
      end({ ok: true, peer: reachedPeer, address: withoutPeer(outcome.connection.remoteAddr) }, true)
    }
    const onOpened = (connection: Connection) => this.#onOpened(connection)
    const onPathsTried = (paths: TriedPaths) => {
      void owner.close()
      deliver({ type: 'peer.paths', peer: reachedPeer, ...pathsOf(paths) })
    }
    const dial = (events: AttemptEvents) => {
      const attempt = new DialAttempt(components, owner.child('attempt'), dialable, events)
      attempt.start(Math.max(1, until - clock.now()))
    }
    const onUnneeded = (connection: Connection, reason: Error) => this.#drop(connection, reason)
    const { yieldsToApp = false } = this.#options
    const events = { onDone, onOpened, onUnneeded, onDuplicate, onPathsTried, abortsSlower: yieldsToApp }
    if (!yieldsToApp || fresh) return dial(events)
    const waitForApp = async () => {
      const existing = await this.#findConnection(owner, target)
      if (existing !== undefined) end(existing)
      else if (!owner.closed) dial(events)
    }
    const onDoneOrYielded = (outcome: DialOutcome) =>
      !outcome.ok && outcome.hasYielded === true ? void waitForApp() : onDone(outcome)
    dial({ ...events, onDone: onDoneOrYielded, shouldYield: () => this.#isNeedless(target) })
  }

  /** An existing connection to the target, or one that the application’s own dial opens soon. */
  async #findConnection(owner: Owner, target: DialTarget): Promise<Extract<Result, { ok: true }> | undefined> {
    const { components, clock, connections, yieldsToApp, deliver } = this.#options
    const { peer, addresses } = target
    const until = clock.now() + appDialWaitMs
    let record = connections.findReaching(peer, addresses)
    const isComing = () => connections.isIdentifying(peer, addresses) || isApplicationDialling(components, target)
    while (yieldsToApp && record === undefined && !owner.closed && clock.now() < until && isComing()) {
      await pause(owner, pollMs)
      record = connections.findReaching(peer, addresses)
    }
    if (record === undefined) return undefined
    record.isLeftToApp = false
    deliver({ type: 'changed' })
    return answerOf(record.connection, addresses)
  }

  /** Whether the application dials the same peer or has connected to it. */
  #isNeedless(target: DialTarget): boolean {
    const { components, connections } = this.#options
    const isOurs = ({ id }: Connection) => connections.find(id)?.isOurs === true
    return isApplicationDialling(components, target) || isApplicationConnected(components, target, isOurs)
  }

  /** The ledger may have seen the connection before it was marked as ours, and left it to the application. */
  #onOpened(connection: Connection): void {
    const record = this.#options.connections.getOrCreate(connection)
    record.isOurs = true
    if (record.isLeftToApp && this.#options.connections.mayClose(record)) {
      connection.close().catch((error: Error) => connection.abort(error))
    }
  }

  /** libp2p shares each open connection, so the application may use one that the dial does not need. */
  #drop(connection: Connection, reason: Error): void {
    const { owner, connections, leaveToApp } = this.#options
    const record = owner.closed || connection.status !== 'open' ? undefined : connections.getOrCreate(connection)
    if (record !== undefined) record.isOurs = true
    if (record === undefined || connections.mayClose(record)) connection.abort(reason)
    else leaveToApp(record)
  }
}

/** `keepOwner`: the owner stays open until the dials of the earlier addresses have ended. */
type End = (result: Result, keepOwner?: boolean) => void

function failure(addresses: readonly string[], stage: DialStage, type: string, message: string): Result {
  return { ok: false, failures: [{ stage, type, message }], addresses }
}

function seedAnswer(seed: string, result: Result): NetworkEvent {
  if (!result.ok) return { type: 'seed.failed', seed, failure: dialFailure(result) }
  const { peer, address, elsewhere } = result
  return { type: 'seed.answered', seed, peer, address, ...(elsewhere !== undefined && { elsewhere }) }
}

function peerAnswer(peer: string, result: Result): NetworkEvent {
  if (result.ok) return { type: 'peer.dialled', peer, ok: true }
  return { type: 'peer.dialled', peer, ok: false, failure: dialFailure(result) }
}

function answerOf(
  { remotePeer, remoteAddr }: Connection,
  requested: readonly Multiaddr[],
): Extract<Result, { ok: true }> {
  const [peer, address] = [remotePeer.toString(), withoutPeer(remoteAddr)]
  const answer = { ok: true, peer, address } as const
  return requested.some((one) => withoutPeer(one) === address) ? answer : { ...answer, elsewhere: address }
}

function pathsOf({ worked, failures }: TriedPaths): PathReport {
  const pathFailures = failures.flatMap(({ address, stage, type, message }) =>
    address === undefined
      ? []
      : [{ address: withoutPeer(multiaddr(address)), stage, errorType: type, errorMessage: cutMessage(message) }],
  )
  return { workingAddresses: worked.map(withoutPeer), failures: pathFailures }
}

/** Throws for an invalid seed address; skips invalid addresses of a peer. */
function parseTarget(texts: readonly string[], peer: PeerId | undefined, limitMs: number): Target {
  if (peer === undefined) {
    const addresses = texts.map((text) => multiaddr(text))
    const peerId = addresses[0]?.getComponents().findLast(({ code }) => code === CODE_P2P)?.value
    return { peer: peerId === undefined ? undefined : peerIdFromString(peerId), addresses, limitMs }
  }
  const addresses = texts.slice(0, limits.digestAddresses).flatMap((text) => {
    const bare = tryParse(text)?.decapsulateCode(CODE_P2P)
    return bare === undefined ? [] : [bare.encapsulate(`/p2p/${peer.toString()}`)]
  })
  return { peer, addresses, limitMs }
}

function quicFirst(addresses: readonly Multiaddr[]): readonly Multiaddr[] {
  const isQuic = (address: Multiaddr) => hasProtocol(address, CODE_QUIC_V1)
  return addresses.toSorted((a, b) => Number(isQuic(b)) - Number(isQuic(a)))
}

function tryParse(text: string): Multiaddr | undefined {
  try {
    return multiaddr(text)
  } catch {
    return undefined
  }
}

async function resolveAll(addresses: readonly Multiaddr[], lookup: Lookup) {
  const answers = await Promise.allSettled(addresses.map((address) => resolve(address, lookup)))
  const resolved = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
  const failures = answers.flatMap((one) => (one.status === 'rejected' ? [failureOf(one.reason, 'resolve')] : []))
  return { resolved: resolved.slice(0, limits.digestAddresses), failures }
}

function dialFailure(result: Extract<Result, { ok: false }>): DialFailure {
  return explainSelfDial(summarizeFailures(result.failures, result.addresses))
}

/** Whether the application is dialling this peer, or one of these addresses, through libp2p’s dial queue. */
function isApplicationDialling(
  { connectionManager }: Pick<NetworkComponents, 'connectionManager'>,
  { peer, addresses }: DialTarget,
): boolean {
  const texts = new Set(addresses.map(withoutPeer))
  return connectionManager.getDialQueue().some(({ peerId, multiaddrs }) => {
    if (peer !== undefined && peerId?.equals(peer) === true) return true
    return multiaddrs.some((address) => texts.has(withoutPeer(address)))
  })
}

/**
 * Whether an existing connection to this peer makes our dial unnecessary: one that this node’s application opened, or
 * one that the lower peer id dialled. Of two ends that dial each other only one yields.
 */
function isApplicationConnected(
  { connectionManager, peerId }: Pick<NetworkComponents, 'connectionManager' | 'peerId'>,
  { peer }: DialTarget,
  isOurs: (connection: Connection) => boolean,
): boolean {
  if (peer === undefined) return false
  const lowerDials = peer.toString() < peerId.toString()
  return connectionManager.getConnections(peer).some((connection) => {
    if (connection.status !== 'open' || connection.limits !== undefined || isOurs(connection)) return false
    return connection.direction === 'outbound' || lowerDials
  })
}
