import type { Connection, PeerId } from '@libp2p/interface'
import type { ConnectionManager } from '@libp2p/interface-internal'
import { isMeshError } from '../../core/errors.ts'
import type { Clock } from '../../core/machine.ts'
import type { OwnedMap } from '../../core/owned-map.ts'
import type { Owner } from '../../core/owner.ts'
import { isExhaustion } from '../../core/resource-watch.ts'
import { startDeadline } from '../clock.ts'
import { servesApplication } from '../connections/connections.ts'
import { failureOf } from '../dials/dial-failure.ts'
import type { DhtContact } from './dht-table.ts'

interface TableProbeOptions {
  readonly connectionManager: Pick<ConnectionManager, 'getConnections' | 'openConnection'>
  readonly owner: Owner
  readonly clock: Clock
}

/** Dials of one sweep, and how many at a time: the others follow in the next sweep. */
const maxProbes = 64
const concurrentProbes = 8
/** The dial of a dead QUIC peer takes all of it. */
const probeMs = 5_000
/** Failures of this node, which say nothing about the peer. */
const ownFailures = [
  'AbortError',
  'ConnectionDeniedError',
  'ConnectionInterceptedError',
  'DialDeniedError',
  'DialError',
  'NotStartedError',
  'QueueFullError',
]

/** Finds out which absent peers of the DHT's table still live. */
export class TableProbe {
  readonly #options: TableProbeOptions
  /** Peers that did not answer once: they may have been full, or the path broken for a moment. */
  readonly #unanswered: OwnedMap<string, DhtContact>

  constructor(options: TableProbeOptions) {
    this.#options = options
    this.#unanswered = options.owner.map<string, DhtContact>({
      name: 'unanswered',
      // A sweep dials these first, so they are never more than its dials.
      capacity: maxProbes,
      expiry: { event: 'the next dial, or the peer connects or leaves the table' },
      release: () => {},
    })
  }

  /** The peer has connected: failures before do not count. */
  forget(peer: PeerId): void {
    this.#unanswered.delete(peer.toString())
  }

  /**
   * Dials all the absent peers of the table that it has time for: first those that did not answer the last time, then
   * those that answered least recently. Calls `onDead` for each that does not answer for the second time in a row.
   * Starts no dial after `until`, monotonic milliseconds. Returns the number of dials. `isInDoubt`: whether the
   * failure of a peer that is no contact of this sweep still counts. A query of the DHT may be dialling it, or has just
   * written to its record.
   */
  async run(
    contacts: readonly DhtContact[],
    isInDoubt: (peer: string) => boolean,
    until: number,
    onDead: (contact: DhtContact) => Promise<void>,
  ): Promise<number> {
    const { connectionManager, clock, owner } = this.#options
    const absent = new Set(contacts.map(({ peerId }) => peerId.toString()))
    for (const id of this.#unanswered.keys()) if (!absent.has(id) && !isInDoubt(id)) this.#unanswered.delete(id)
    // A node without any connection may itself have no network.
    if (contacts.length === 0 || connectionManager.getConnections().length === 0) return 0
    const hasFailed = ({ peerId }: DhtContact) => Number(this.#unanswered.has(peerId.toString()))
    const waiting = contacts
      .toSorted((a, b) => hasFailed(b) - hasFailed(a) || a.lastPing - b.lastPing)
      .slice(0, maxProbes)
      .values()
    let dials = 0
    const work = async () => {
      for (const contact of waiting) {
        if (owner.closed || clock.now() >= until) return
        dials++
        if (await this.#answers(contact.peerId)) {
          contact.lastPing = clock.wall()
          this.forget(contact.peerId)
        } else if (!owner.closed && this.#isSecondFailure(contact)) await onDead(contact)
      }
    }
    await Promise.all(Array.from({ length: concurrentProbes }, work))
    return dials
  }

  /** Notes a first failure, and forgets it at the second. */
  #isSecondFailure(contact: DhtContact): boolean {
    const id = contact.peerId.toString()
    const isSecond = this.#unanswered.delete(id)
    if (!isSecond) this.#unanswered.set(id, contact, this.#options.clock.now())
    return isSecond
  }

  /** Whether the peer is connected or a dial reaches it; also after a failure of this node. */
  async #answers(peer: PeerId): Promise<boolean> {
    const { connectionManager, owner } = this.#options
    if (connectionManager.getConnections(peer).length > 0) return true
    const deadline = startDeadline(probeMs, [owner.signal])
    try {
      const connection = await connectionManager.openConnection(peer, { signal: deadline.signal })
      await closeUnused(connection, deadline.signal)
      return true
    } catch (error) {
      return !deadline.signal.aborted && isOwnFailure(error)
    } finally {
      deadline.clear()
    }
  }
}

/** Never rejects: the peer has answered, whatever becomes of the connection. */
async function closeUnused(connection: Connection, signal: AbortSignal): Promise<void> {
  if (servesApplication(connection)) return
  await connection.close({ signal }).catch((error: Error) => connection.abort(error))
}

/** A dial to several addresses fails with all their errors. */
function isOwnFailure(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isOwnFailure)
  if (!(error instanceof Error)) return false
  return (
    isMeshError(error, 'MESH_LIMIT_REACHED') || isExhaustion(failureOf(error).type) || ownFailures.includes(error.name)
  )
}
