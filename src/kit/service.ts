import type { Startable } from '@libp2p/interface'
import { MeshError } from '../core/errors.ts'
import type { Clock } from '../core/machine.ts'
import type { OwnAddress } from '../core/own-addresses.ts'
import { type CloseStep, type Inventory, Owner } from '../core/owner.ts'
import type { SeedView } from '../core/seed-dialler.ts'
import { logSpan } from '../telemetry/log.ts'
import { measuredClock } from '../telemetry/measured-clock.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import { VitalsReader } from '../telemetry/vitals.ts'
import { Assembly, checkPubSubService, requireIdentify } from './assembly.ts'
import type { TracemeshComponents } from './components.ts'
import { faultyClock } from './faults.ts'
import type { NetworkCounts } from './frame-counters.ts'
import { closeLimitMs } from './graceful-close.ts'
import { nextIncarnation, type ResolvedOptions, resolveOptions, type TracemeshInit } from './init.ts'
import type { MessageHandler, MessageRecord, Published, PublishOptions, SubscribeOptions } from './message.ts'
import { startOwnTelemetry } from './own-telemetry.ts'
import type { RequestHandler, RequestOptions } from './requests.ts'
import { stopSpans } from './stop-spans.ts'
import { type Topology, topologyOf } from './views.ts'

/**
 * For links to say goodbye, milliseconds: a little more than one may take, after which it is aborted. What has not
 * closed by then is dropped with libp2p’s own stop.
 */
const goodbyeMs = closeLimitMs + 100
const goodbyePollMs = 20
const flushMs = 2_000

/**
 * A mesh node as a libp2p service. It lives by libp2p’s start and stop, and can be started again after a stop; what is
 * subscribed or answered is then to be said anew.
 */
export class Tracemesh implements Startable {
  readonly #components: TracemeshComponents
  readonly #config: ResolvedOptions
  readonly #vitals = new VitalsReader()
  readonly #clock: Clock
  /** What the start waits with, until the assembly is there. */
  #startOwner: Owner | undefined
  #running: Assembly | undefined
  #incarnation = 0
  #stopCount = 0
  #closeSteps: readonly CloseStep[] = []

  constructor(components: TracemeshComponents, init: TracemeshInit) {
    this.#components = components
    this.#config = resolveOptions(init, components.peerId.toString())
    const { clock, faults } = this.#config
    this.#clock = measuredClock(faultyClock(clock, faults), (ms) => this.#vitals.recordTimerDelay(ms))
  }

  /** Own peer id. */
  get peer(): string {
    return this.#components.peerId.toString()
  }

  /**
   * Throws MESH_SERVICE_MISSING without identify, MESH_PUBSUB_UNUSABLE where gossip would reach nobody: here, since
   * libp2p listens later and would not undo that.
   */
  async start(): Promise<void> {
    requireIdentify(this.#components, this.#config)
    const owner = new Owner(`${this.#config.name}/start`, this.#config.clock)
    this.#startOwner = owner
    try {
      await checkPubSubService(this.#components, this.#config, owner)
    } finally {
      await owner.close()
    }
  }

  /** Only now have the other services started: gossipsub takes no subscription before. */
  async afterStart(): Promise<void> {
    if (this.#running !== undefined) return
    this.#incarnation = nextIncarnation(this.#config, this.#incarnation, this.#clock.wall())
    const options = { config: this.#config, incarnation: this.#incarnation, clock: this.#clock }
    const stopsBefore = this.#stopCount
    const telemetry = this.#config.telemetry ?? (await startOwnTelemetry({ ...options, peer: this.peer }))
    // Where another service fails to start, libp2p stops all of them without waiting for this one.
    if (stopsBefore !== this.#stopCount) {
      if (this.#config.telemetry === undefined) void telemetry.close(0)
      return
    }
    this.#running = new Assembly({ ...options, components: this.#components, vitals: this.#vitals, telemetry })
    await this.#running.start()
  }

  /** All services stop side by side, so goodbye is said before any of them. */
  async beforeStop(): Promise<void> {
    const running = this.#running
    if (running === undefined) return
    running.driver.deliver({ type: 'stopping' })
    const { promise, resolve } = Promise.withResolvers<void>()
    const until = this.#clock.now() + goodbyeMs
    const checkClosed = () => {
      if (running.node.ledger.size === 0 || this.#clock.now() >= until) resolve()
      else running.owner.after(goodbyePollMs, checkClosed)
    }
    checkClosed()
    await promise
  }

  async stop(): Promise<void> {
    this.#stopCount++
    await this.#startOwner?.close()
    const running = this.#running
    if (running === undefined) return
    this.#running = undefined
    const steps = await running.owner.close()
    this.#closeSteps = steps
    if (this.#config.telemetry !== undefined) return
    this.emitStopped(running.telemetry, 'requested', this.#clock.now() - running.startedAt, steps)
    await running.telemetry.close(flushMs)
  }

  /** Sends to all subscribers. Throws MESH_MESSAGE_TOO_LARGE, MESH_SERVICE_MISSING without gossipsub. */
  publish(topic: string, data: Uint8Array, options?: PublishOptions): Promise<Published> {
    return this.#requireRunning('publish').messages.publish(topic, data, options)
  }

  /** Calls the handler within the trace that a message was published in. Returns what ends the subscription. */
  subscribe(topic: string, handler: MessageHandler, options?: SubscribeOptions): () => void {
    return this.#requireRunning('subscribe').messages.subscribe(topic, handler, options)
  }

  /** Asks one peer; resolves with its answer. Throws MESH_NO_LINK or MESH_REQUEST_FAILED. */
  request(peer: string, topic: string, data: Uint8Array, options?: RequestOptions): Promise<Uint8Array> {
    return this.#requireRunning('request').requests.request(peer, topic, data, options)
  }

  /** Answers requests, each within the trace of its asker; returns what ends it. */
  respond(topic: string, handler: RequestHandler): () => void {
    return this.#requireRunning('respond').requests.respond(topic, handler)
  }

  /** Own addresses as they are now, with those that other nodes are not told of, and why. */
  ownAddresses(): readonly OwnAddress[] {
    const { addresses } = this.#requireRunning('ownAddresses')
    addresses.refresh()
    return addresses.addresses
  }

  /** Multiaddrs that other nodes dial, with peer id. */
  addresses(): readonly string[] {
    const { addresses } = this.#requireRunning('addresses')
    addresses.refresh()
    return addresses.announced()
  }

  topology(): Topology {
    const { node } = this.#requireRunning('topology')
    const own = this.ownAddresses()
    return topologyOf(this.peer, own, node.ledger, node.view, this.#clock.now())
  }

  inventory(): Inventory {
    return this.#requireRunning('inventory').owner.inventory()
  }

  /** Frames of the link streams so far, by type and direction; and what was refused. */
  frames(): NetworkCounts | undefined {
    return this.#requireRunning('frames').network.counters()
  }

  /** The seeds as configured, and how far each campaign is. */
  seeds(): SeedView[] {
    return this.#requireRunning('seeds').node.seeds.seeds()
  }

  /** The last messages, newest last. */
  messages(): MessageRecord[] {
    return this.#requireRunning('messages').messages.recent()
  }

  /** Connected peers, guests included. */
  get peers(): number {
    return this.#running?.node.ledger.size ?? 0
  }

  /** What the last stop closed, and how that went. For whoever owns the telemetry, to be told with its own steps. */
  get closed(): readonly CloseStep[] {
    return this.#closeSteps
  }

  /** For whoever owns the telemetry: the stop with its steps, one trace. `uptimeMs` in milliseconds. */
  emitStopped(telemetry: Telemetry, cause: string, uptimeMs: number, steps: readonly CloseStep[]): void {
    const { random, logger } = this.#config
    for (const span of stopSpans(cause, uptimeMs, steps, random)) logSpan(logger, span, telemetry.emit(span, undefined))
  }

  #requireRunning(what: string): Assembly {
    if (this.#running === undefined) throw new MeshError('MESH_NOT_STARTED', { what })
    return this.#running
  }
}
