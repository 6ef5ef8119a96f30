import { getHeapStatistics } from 'node:v8'
import type { Connection, MultiaddrConnection, Stream, Upgrader } from '@libp2p/interface'
import {
  type ConnectionCaps,
  ConnectionScopes,
  isRefusal,
  type Place,
  type Refusal,
} from '../../core/connection-scopes.ts'
import { MeshError } from '../../core/errors.ts'
import type { RefusalDetail } from '../../core/limit-spans.ts'
import { type LimitName, limitSetting } from '../../core/limits.ts'
import type { Clock } from '../../core/machine.ts'
import type { Owner } from '../../core/owner.ts'
import type { LimitAction } from '../../core/spans/node.ts'
import type { TracemeshComponents } from '../components.ts'
import { connectionInternals } from '../connections/connection-internals.ts'
import { replaceMethod } from '../replace-method.ts'
import { BufferBudget } from './buffer-budget.ts'
import { type StreamCaps, StreamLimits } from './stream-limits.ts'

/** Limits on what libp2p holds; each is off if it is undefined. */
export interface ResourceCaps extends ConnectionCaps, StreamCaps {
  /** Bytes in the buffers of all streams. */
  readonly bufferedBytes?: number | undefined
  /** Percent of V8's heap limit in use above which the node accepts no connection. */
  readonly heapPercent?: number | undefined
}

export interface AdmissionOptions {
  readonly components: Pick<
    TracemeshComponents,
    'events' | 'upgrader' | 'transportManager' | 'registrar' | 'connectionManager'
  >
  readonly caps: ResourceCaps
  readonly owner: Owner
  readonly clock: Clock
  readonly onRefused: (limit: LimitName, action: LimitAction, detail: RefusalDetail) => void
  /** Called once if this version of libp2p does not let the node limit its streams and the connections of a peer. */
  readonly onUnknownLibp2p: () => void
  /** Percent of the heap limit in use. */
  readonly heapUse?: (() => number) | undefined
}

/** Reading the heap statistics takes microseconds, and a storm may bring thousands of connections a second. */
const heapReadMs = 100

/**
 * Decides about every connection, dial and stream of this libp2p; it stands in front of libp2p's
 * upgrader and dial, through which all transports, gossipsub and the application go. Start it before libp2p listens.
 */
export class Admission {
  readonly #options: AdmissionOptions
  readonly #scopes: ConnectionScopes
  readonly #streams: StreamLimits
  readonly #buffers: BufferBudget | undefined
  readonly #places = new WeakMap<MultiaddrConnection, Place>()
  /** Connections refused when their peer was known, during their upgrade. */
  readonly #refused = new WeakMap<MultiaddrConnection, MeshError>()
  #heap = { percent: 0, at: -Infinity }
  #isUnknown = false

  constructor(options: AdmissionOptions) {
    const { caps, components, clock, onRefused } = options
    const { bufferedBytes: limit } = caps
    this.#options = options
    this.#scopes = new ConnectionScopes(caps)
    this.#buffers =
      limit === undefined
        ? undefined
        : new BufferBudget({
            limit,
            now: () => clock.now(),
            onAborted: (_, peer) => onRefused('bufferedBytes', 'closed', { value: limit, peer }),
          })
    const { connectionManager } = components
    const onStream = (stream: Stream, peer: string) => this.#buffers?.watch(stream, peer)
    this.#streams = new StreamLimits({ connectionManager, caps, onRefused, onStream })
  }

  start(): void {
    const { components, owner, caps } = this.#options
    const { upgrader, transportManager, registrar, events } = components
    if (upgrader === undefined || Object.values(caps).every((value) => value === undefined)) return
    const onOpened = (event: CustomEvent<Connection>) => this.#onOpened(event.detail)
    events.addEventListener('connection:open', onOpened)
    const restores = [
      // Upgraders have overloads, which the generic wrapper cannot express.
      replaceMethod(
        upgrader as UpgraderMethods,
        'upgradeInbound',
        (upgrade) => (maConn, options) => this.#upgradeInbound(maConn, () => upgrade(maConn, options)),
      ),
      replaceMethod(
        upgrader as UpgraderMethods,
        'upgradeOutbound',
        (upgrade) => (maConn, options) => this.#upgradeOutbound(maConn, () => upgrade(maConn, options)),
      ),
      replaceMethod(
        transportManager,
        'dial',
        (dial) => (address, options) => this.#dial(address.toString(), () => dial(address, options)),
      ),
      this.#streams.limitProtocols(registrar),
      () => events.removeEventListener('connection:open', onOpened),
    ]
    owner.adopt('limits', () => {
      for (const restore of restores) restore()
    })
  }

  /** Current usage of each scope. */
  usage() {
    return { ...this.#scopes.usage(), bufferedBytes: this.#buffers?.used ?? 0 }
  }

  async #dial(address: string, dial: () => Promise<Connection>): Promise<Connection> {
    const place = this.#admit(this.#scopes.reserveDial(address))
    try {
      return await dial()
    } finally {
      place.leave()
    }
  }

  async #upgradeInbound(maConn: MultiaddrConnection, upgrade: () => Promise<void>): Promise<void> {
    const { clock } = this.#options
    const answer = this.#heapRefusal() ?? this.#scopes.acceptInbound(maConn.remoteAddr.toString(), clock.now())
    await this.#upgrade(maConn, this.#admit(answer), upgrade)
  }

  #upgradeOutbound(maConn: MultiaddrConnection, upgrade: () => Promise<Connection>): Promise<Connection> {
    return this.#upgrade(maConn, this.#admit(this.#scopes.openOutbound(maConn.remoteAddr.toString())), upgrade)
  }

  async #upgrade<T>(maConn: MultiaddrConnection, place: Place, upgrade: () => Promise<T>): Promise<T> {
    this.#places.set(maConn, place)
    maConn.addEventListener('close', () => place.leave(), { once: true })
    try {
      const result = await upgrade()
      // libp2p's listeners would keep a connection that was closed during its upgrade for ever.
      if (maConn.status !== 'open') throw new Error('the connection was closed during its upgrade')
      place.settle()
      return result
    } catch (error) {
      place.leave()
      throw this.#refused.get(maConn) ?? error
    }
  }

  /** Throws MESH_LIMIT_REACHED; libp2p then closes the connection, or fails the dial. */
  #admit(answer: Place | Refusal): Place {
    if (!isRefusal(answer)) return answer
    throw this.#refuse(answer)
  }

  #refuse({ limit, value, address }: Refusal, peer?: string): MeshError<'MESH_LIMIT_REACHED'> {
    this.#options.onRefused(limit, 'refused', { value, address, peer })
    return new MeshError('MESH_LIMIT_REACHED', { limit, value, setting: limitSetting(limit) })
  }

  #onOpened(connection: Connection): void {
    const internals = connectionInternals(connection)
    if (internals === undefined) {
      if (!this.#isUnknown) this.#options.onUnknownLibp2p()
      this.#isUnknown = true
      return
    }
    const { maConn, muxer } = internals
    const peer = connection.remotePeer.toString()
    const refusal = this.#places.get(maConn)?.identify(peer)
    if (refusal === undefined) {
      this.#streams.watch(connection, muxer)
      return
    }
    const error = this.#refuse(refusal, peer)
    this.#refused.set(maConn, error)
    connection.abort(error)
  }

  #heapRefusal(): Refusal | undefined {
    const { caps, clock, heapUse = heapPercentInUse } = this.#options
    const { heapPercent } = caps
    if (heapPercent === undefined) return undefined
    const now = clock.now()
    if (now - this.#heap.at >= heapReadMs) this.#heap = { percent: heapUse(), at: now }
    return this.#heap.percent < heapPercent ? undefined : { limit: 'heapPercent', value: heapPercent }
  }
}

/** The upgrader's methods without their overloads. */
type UpgraderMethods = {
  upgradeInbound(maConn: MultiaddrConnection, options: Parameters<Upgrader['upgradeInbound']>[1]): Promise<void>
  upgradeOutbound(maConn: MultiaddrConnection, options: Parameters<Upgrader['upgradeOutbound']>[1]): Promise<Connection>
}

function heapPercentInUse(): number {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics()
  return (100 * used) / limit
}
