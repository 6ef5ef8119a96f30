import type { PeerId } from '@libp2p/interface'
import type { ConnectionManager } from '@libp2p/interface-internal'
import { isMeshError } from '../core/errors.ts'
import type { Clock } from '../core/machine.ts'
import type { Owner } from '../core/owner.ts'
import { isExhaustion } from '../core/resource-watch.ts'
import { startDeadline } from './clock.ts'
import { servesApplication } from './connections.ts'
import type { DhtContact } from './dht-table.ts'
import { failureOf } from './dial-failure.ts'

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

  constructor(options: TableProbeOptions) {
    this.#options = options
  }

  /**
   * Dials peers, those first that answered least recently, and calls `onDead` for each that does not answer. Starts no
   * dial after `until`, monotonic milliseconds. Returns the number of dials.
   */
  async run(
    contacts: readonly DhtContact[],
    until: number,
    onDead: (contact: DhtContact) => Promise<void>,
  ): Promise<number> {
    const { connectionManager, clock, owner } = this.#options
    // A node without any connection may itself have no network.
    if (contacts.length === 0 || connectionManager.getConnections().length === 0) return 0
    const waiting = contacts
      .toSorted((a, b) => a.lastPing - b.lastPing)
      .slice(0, maxProbes)
      .values()
    let dials = 0
    const work = async () => {
      for (const contact of waiting) {
        if (owner.closed || clock.now() >= until) return
        dials++
        if (await this.#answers(contact.peerId)) contact.lastPing = clock.wall()
        else if (!owner.closed) await onDead(contact)
      }
    }
    await Promise.all(Array.from({ length: concurrentProbes }, work))
    return dials
  }

  /** Whether the peer is connected or a dial reaches it; also after a failure of this node. */
  async #answers(peer: PeerId): Promise<boolean> {
    const { connectionManager, owner } = this.#options
    if (connectionManager.getConnections(peer).length > 0) return true
    const deadline = startDeadline(probeMs, [owner.signal])
    try {
      const connection = await connectionManager.openConnection(peer, { signal: deadline.signal })
      if (!servesApplication(connection)) await connection.close()
      return true
    } catch (error) {
      return !deadline.signal.aborted && isOwnFailure(error)
    } finally {
      deadline.clear()
    }
  }
}

/** A dial to several addresses fails with all their errors. */
function isOwnFailure(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isOwnFailure)
  if (!(error instanceof Error)) return false
  return (
    isMeshError(error, 'MESH_LIMIT_REACHED') || isExhaustion(failureOf(error).type) || ownFailures.includes(error.name)
  )
}
