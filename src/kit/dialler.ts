import type { Connection, PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { CODE_P2P, CODE_QUIC_V1, type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import type { DialFailure, NetworkEffect, NetworkEvent, PathFailure } from '../core/events.ts'
import { limits } from '../core/limits.ts'
import type { Clock } from '../core/machine.ts'
import type { Owner } from '../core/owner.ts'
import { applicationConnected, applicationDials, type DialTarget, standBackMs } from './application-dials.ts'
import type { NetworkComponents } from './components.ts'
import type { ConnectionRecord, Connections } from './connections.ts'
import { type AttemptEvents, DialAttempt, type DialOutcome, type TriedPaths } from './dial-attempt.ts'
import { type AddressFailure, cutMessage, failureOf, summary } from './dial-failure.ts'
import { hasProtocol, throughRelay, withoutPeer } from './multiaddrs.ts'
import { explainSelfDial } from './own-host.ts'
import { pause } from './pause.ts'
import { type Lookup, resolve } from './resolve.ts'

type SeedDial = Extract<NetworkEffect, { do: 'dial.seed' }>
type PeerDial = Extract<NetworkEffect, { do: 'dial.peer' }>

interface Target {
  readonly peer: PeerId | undefined
  readonly addresses: readonly Multiaddr[]
  readonly limitMs: number
  /** A connection to this peer by another address is no answer. */
  readonly fresh?: boolean
}

type Result =
  /** `elsewhere`: the address of a connection that was there, when it is none of those asked for. */
  | { readonly ok: true; readonly peer: string; readonly address: string; readonly elsewhere?: string }
  | { readonly ok: false; readonly failures: readonly AddressFailure[]; readonly addresses: readonly string[] }

export interface DiallerOptions {
  readonly components: NetworkComponents
  readonly owner: Owner
  readonly clock: Clock
  readonly connections: Connections
  readonly lookup: Lookup
  /** Whether this node itself listens at a multiaddr. */
  readonly isOwn: (address: string) => boolean
  readonly deliver: (event: NetworkEvent) => void
  /** Each address that was dialled in vain. */
  readonly failed?: ((failure: AddressFailure) => void) | undefined
  /** Other code of the application dials as well, and its connection is used rather than doubled. */
  readonly givesWay?: boolean
  /** Leaves a connection to the application, which uses it. */
  readonly leave: (record: ConnectionRecord) => void
}

/** Between two looks at what became of the application’s dial. */
const lookMs = 50

/** Dials seeds and peers; each dial has one answer, within its limit. */
export class Dialler {
  readonly #options: DiallerOptions
  #inFlight = 0

  constructor(options: DiallerOptions) {
    this.#options = options
  }

  seed({ seed, limitMs, fresh }: SeedDial): void {
    const answer = (result: Result) => this.#options.deliver(seedAnswer(seed, result))
    this.#run(seed, limitMs, () => ({ ...target([seed], undefined, limitMs), fresh: fresh === true }), answer)
  }

  peer({ peer, addresses, limitMs }: PeerDial): void {
    const answer = (result: Result) => this.#options.deliver(peerAnswer(peer, result))
    // Bridges and private networks have the same addresses on many hosts: there this node would only reach itself.
    const elsewhere = addresses.filter((address) => !this.#options.isOwn(address))
    this.#run(peer, limitMs, () => target(elsewhere, peerIdFromString(peer), limitMs), answer)
  }

  #run(name: string, limitMs: number, parse: () => Target, answer: (result: Result) => void): void {
    if (this.#inFlight >= limits.dials) {
      const busy = { stage: 'dial', type: 'TooManyDials', message: `${limits.dials} dials are under way` } as const
      queueMicrotask(() => answer({ ok: false, failures: [busy], addresses: [] }))
      return
    }
    const owner = this.#options.owner.child(`dial ${name}`)
    this.#inFlight++
    let ended = false
    const end = (result: Result, tries = false) => {
      if (ended || owner.closed) return
      ended = true
      this.#inFlight--
      if (!tries) void owner.close()
      if (!result.ok) for (const one of result.failures) this.#options.failed?.(one)
      answer(result)
    }
    const slow = { stage: 'resolve', type: 'TimeoutError', message: `no addresses within ${limitMs} ms` } as const
    const cancel = owner.after(limitMs, () => end({ ok: false, failures: [slow], addresses: [] }))
    this.#attempt(owner, parse, cancel, end).catch((error: unknown) =>
      end({ ok: false, failures: [failureOf(error, 'resolve')], addresses: [] }),
    )
  }

  async #attempt(owner: Owner, parse: () => Target, cancel: () => void, end: End) {
    const { components, clock, lookup, deliver } = this.#options
    const { peer, addresses, limitMs, fresh } = parse()
    const until = clock.now() + limitMs
    if (peer?.equals(components.peerId)) {
      const self = { stage: 'dial', type: 'SelfDial', message: 'the peer id is our own' } as const
      await Promise.resolve()
      return end({ ok: false, failures: [self], addresses: addresses.map(String) })
    }
    const { found, failures } = await resolveAll(addresses, lookup)
    if (owner.closed) return
    const tried = found.map(String)
    const target = { peer, addresses: found }
    const answered = await this.#reached(owner, target)
    if (owner.closed) return
    if (answered !== undefined && !(fresh && answered.elsewhere !== undefined)) return end(answered)
    const denied = peer !== undefined && (await components.connectionGater?.denyDialPeer?.(peer)) === true
    const { transportManager } = components
    // No link stream is opened on a relayed connection.
    const known = found.filter((one) => !throughRelay(one) && transportManager.dialTransportForMultiaddr(one))
    const dialable = denied ? [] : quicFirst(known)
    if (owner.closed) return
    if (dialable.length === 0) {
      const type = denied ? 'DialDeniedError' : 'NoDialableAddress'
      const none = {
        stage: 'dial',
        type,
        message: denied ? 'the gater denies this peer' : 'no transport dials it',
      } as const
      return end({ ok: false, failures: failures.length > 0 ? failures : [none], addresses: tried })
    }
    cancel()
    let reached = ''
    const duplicate = ({ id }: Connection) =>
      deliver({ type: 'connection.rejected', connection: id, reason: 'duplicate' })
    const done = (outcome: DialOutcome) => {
      if (!outcome.ok) return end({ ok: false, failures: [...outcome.failures, ...failures], addresses: tried })
      outcome.others.forEach(duplicate)
      reached = outcome.connection.remotePeer.toString()
      end({ ok: true, peer: reached, address: withoutPeer(outcome.connection.remoteAddr) }, true)
    }
    const opened = (connection: Connection) => this.#opened(connection)
    const paths = (paths: TriedPaths) => {
      void owner.close()
      deliver({ type: 'peer.paths', peer: reached, ...pathsOf(paths) })
    }
    const dial = (events: AttemptEvents) => {
      const attempt = new DialAttempt(components, owner.child('attempt'), dialable, events)
      attempt.start(Math.max(1, until - clock.now()))
    }
    const drop = (connection: Connection, reason: Error) => this.#drop(connection, reason)
    const { givesWay = false } = this.#options
    const events = { done, opened, drop, duplicate, tried: paths, callsOffSlower: givesWay }
    if (!givesWay || fresh) return dial(events)
    const wait = async () => {
      const answered = await this.#reached(owner, target)
      if (answered !== undefined) end(answered)
      else if (!owner.closed) dial(events)
    }
    const ended = (outcome: DialOutcome) => (!outcome.ok && outcome.gaveWay === true ? void wait() : done(outcome))
    dial({ ...events, done: ended, givesWay: () => this.#isNeedless(target) })
  }

  /** By a connection to the target that is there, or that the application’s own dial brings soon. */
  async #reached(owner: Owner, target: DialTarget): Promise<Extract<Result, { ok: true }> | undefined> {
    const { components, clock, connections, givesWay, deliver } = this.#options
    const { peer, addresses } = target
    const until = clock.now() + standBackMs
    let there = connections.reaching(peer, addresses)
    const comes = () => connections.identifying(peer, addresses) || applicationDials(components, target)
    while (givesWay && there === undefined && !owner.closed && clock.now() < until && comes()) {
      await pause(owner, lookMs)
      there = connections.reaching(peer, addresses)
    }
    if (there === undefined) return undefined
    deliver({ type: 'changed' })
    return answerOf(there, addresses)
  }

  /** The application has begun to dial the same peer, or there is a connection by now. */
  #isNeedless(target: DialTarget): boolean {
    const { components, connections } = this.#options
    const ours = ({ id }: Connection) => connections.find(id)?.ours === true
    return applicationDials(components, target) || applicationConnected(components, target, ours)
  }

  /** The ledger may have seen it before it was known to be ours, and left it to the application. */
  #opened(connection: Connection): void {
    const record = this.#options.connections.getOrCreate(connection)
    record.ours = true
    if (record.left && this.#options.connections.mayClose(record)) {
      connection.close().catch((error: Error) => connection.abort(error))
    }
  }

  /** libp2p hands out each connection that is open, so the application may use one that the dial does not need. */
  #drop(connection: Connection, reason: Error): void {
    const { owner, connections, leave } = this.#options
    const record = owner.closed || connection.status !== 'open' ? undefined : connections.getOrCreate(connection)
    if (record !== undefined) record.ours = true
    if (record === undefined || connections.mayClose(record)) connection.abort(reason)
    else leave(record)
  }
}

/** `tries`: what it holds stays until the addresses that were tried before have come to their ends. */
type End = (result: Result, tries?: boolean) => void

function seedAnswer(seed: string, result: Result): NetworkEvent {
  if (!result.ok) return { type: 'seed.failed', seed, failure: failure(result) }
  const { peer, address, elsewhere } = result
  return { type: 'seed.answered', seed, peer, address, ...(elsewhere !== undefined && { elsewhere }) }
}

function peerAnswer(peer: string, result: Result): NetworkEvent {
  if (result.ok) return { type: 'peer.dialled', peer, ok: true }
  return { type: 'peer.dialled', peer, ok: false, failure: failure(result) }
}

function answerOf({ remotePeer, remoteAddr }: Connection, asked: readonly Multiaddr[]): Extract<Result, { ok: true }> {
  const [peer, address] = [remotePeer.toString(), withoutPeer(remoteAddr)]
  const answer = { ok: true, peer, address } as const
  return asked.some((one) => withoutPeer(one) === address) ? answer : { ...answer, elsewhere: address }
}

function pathsOf({ worked, failures }: TriedPaths): { worked: readonly string[]; failed: readonly PathFailure[] } {
  const failed = failures.flatMap(({ address, stage, type, message }) =>
    address === undefined
      ? []
      : [{ address: withoutPeer(multiaddr(address)), stage, errorType: type, errorMessage: cutMessage(message) }],
  )
  return { worked: worked.map(withoutPeer), failed }
}

/** Throws for an address that is none; the addresses of a peer that are none are left out. */
function target(texts: readonly string[], peer: PeerId | undefined, limitMs: number): Target {
  if (peer === undefined) {
    const addresses = texts.map((text) => multiaddr(text))
    const named = addresses[0]?.getComponents().findLast(({ code }) => code === CODE_P2P)?.value
    return { peer: named === undefined ? undefined : peerIdFromString(named), addresses, limitMs }
  }
  const addresses = texts.slice(0, limits.digestAddresses).flatMap((text) => {
    const bare = parsed(text)?.decapsulateCode(CODE_P2P)
    return bare === undefined ? [] : [bare.encapsulate(`/p2p/${peer.toString()}`)]
  })
  return { peer, addresses, limitMs }
}

function quicFirst(addresses: readonly Multiaddr[]): readonly Multiaddr[] {
  const isQuic = (address: Multiaddr) => hasProtocol(address, CODE_QUIC_V1)
  return addresses.toSorted((a, b) => Number(isQuic(b)) - Number(isQuic(a)))
}

function parsed(text: string): Multiaddr | undefined {
  try {
    return multiaddr(text)
  } catch {
    return undefined
  }
}

async function resolveAll(addresses: readonly Multiaddr[], lookup: Lookup) {
  const answers = await Promise.allSettled(addresses.map((address) => resolve(address, lookup)))
  const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
  const failures = answers.flatMap((one) => (one.status === 'rejected' ? [failureOf(one.reason, 'resolve')] : []))
  return { found: found.slice(0, limits.digestAddresses), failures }
}

function failure(result: Extract<Result, { ok: false }>): DialFailure {
  return explainSelfDial(summary(result.failures, result.addresses))
}
