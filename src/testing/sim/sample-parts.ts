import type { SpanEffect } from '../../catalogue/span-effect.ts'
import { BridgeRelay } from '../../core/bridge-relay.ts'
import { Owner } from '../../core/owner.ts'
import { ResourceWatch } from '../../core/resource-watch.ts'
import { newTrace } from '../../core/trace.ts'
import { Census } from '../../evidence/census.ts'
import { linkEvidence } from '../../evidence/link-evidence.ts'
import { registryEvidence } from '../../evidence/registry-evidence.ts'
import type { PubSub } from '../../kit/components.ts'
import { Messages } from '../../kit/messages/messages.ts'
import { RequestSpans } from '../../kit/messages/requests.ts'
import { heldBy, stopAccount, stopSpans } from '../../kit/stop-report.ts'
import { seededRandom } from '../random.ts'
import type { EmittedSpan, SimNode } from './sim-mesh.ts'
import { emittedBy } from './trace-tree.ts'
import type { VirtualClock } from './virtual-clock.ts'

/** Parts of a node that the simulated one lacks: production classes, driven in virtual time. */
export class SampleParts {
  readonly spans: EmittedSpan[] = []
  readonly #clock: VirtualClock
  readonly #random = seededRandom(11)

  constructor(clock: VirtualClock) {
    this.#clock = clock
  }

  /** Two censuses of a node, whose libp2p has a connection that the ledger does not know. */
  async takeCensuses({ name, node, network, owner }: SimNode): Promise<void> {
    const open = network.snapshot().map((info) => ({ ...info, ageMs: 50_000, isRelayed: false }))
    const unknown = open.slice(0, 1).map((info) => ({ ...info, id: 'unknown' }))
    const clock = this.#clock
    const sources = [
      { name: 'links', read: (now: number) => linkEvidence(node.ledger, [...open, ...unknown], now) },
      { name: 'registries', read: () => registryEvidence(owner.inventory()) },
    ]
    const census = new Census({ sources, clock, random: this.#random })
    for (const advanceMs of [30_000, 0]) {
      for (const span of await census.take('periodic', node.window)) this.#add(name, span)
      clock.advance(advanceMs)
    }
  }

  /** A stop with two steps. */
  async stopNode(name: string): Promise<void> {
    const owner = new Owner('kit', this.#clock)
    owner.adopt('subscriptions', () => {})
    owner.adopt('request handlers', () => {})
    const planned = owner.plannedSteps()
    const steps = await owner.close()
    const account = stopAccount({ planned, steps, held: heldBy(owner) })
    const report = { ...account, cause: 'SIGTERM', uptimeMs: this.#clock.now(), tookMs: 0, left: [] }
    for (const span of stopSpans(newTrace(this.#random), report)) this.#add(name, span)
  }

  /** A message that a bridge carries into another mesh, and two subscribers. */
  async publish(from: string, to: string, bridge: string, beyond: string): Promise<void> {
    const publisher = this.#messagesOf(from, 'mesh-a')
    const subscriber = this.#messagesOf(to, 'mesh-a')
    const far = this.#messagesOf(beyond, 'mesh-b')
    for (const { messages } of [subscriber, far]) messages.subscribe('orders', () => {})
    await publisher.messages.publish('orders', new TextEncoder().encode('hello'), { cross: true })
    this.#clock.advance(4)
    const [data] = publisher.payloads
    const detail = { type: 'signed', topic: 'mesh-a/orders', data, from, sequenceNumber: 1n }
    subscriber.pubsub.dispatchEvent(Object.assign(new Event('message'), { detail }))
    const [crossing] = publisher.crossings
    if (crossing === undefined) throw new Error('the message does not cross')
    const meshes = ['mesh-a', 'mesh-b']
    const limits = { hopLimit: 4, takeoverMs: 2_000, seenTtlMs: 120_000 }
    const relay = new BridgeRelay(new Owner(bridge, this.#clock), {
      self: bridge,
      meshes,
      ...limits,
      bridges: () => [],
    })
    const effects = relay.handle({ type: 'crossing', mesh: 'mesh-a', crossing }, this.#clock.now())
    for (const effect of effects) if (effect.do === 'emit-span') this.#add(bridge, effect)
    this.#clock.advance(3)
    far.messages.deliverCrossing({ ...crossing, hops: 1, body: new Uint8Array(5) })
  }

  /** A request that is answered after 12 ms. */
  request(from: string, to: string): void {
    const [asker, responder] = [from, to].map((name) => {
      const emitSpan = (span: SpanEffect) => this.#add(name, span)
      return new RequestSpans({ clock: this.#clock, random: this.#random, emitSpan, exportsSpans: true })
    })
    const request = { topic: 'price', data: new Uint8Array(3) }
    const sent = asker?.startSent({ ...request, peer: to })
    this.#clock.advance(2)
    const handled = responder?.startHandled({ ...request, peer: from }, sent?.context)
    this.#clock.advance(8)
    handled?.end({ response: new Uint8Array(7) })
    this.#clock.advance(2)
    sent?.end({ response: new Uint8Array(7) })
  }

  /** A process without descriptors for five seconds. */
  exhaustDescriptors(name: string): void {
    const watch = new ResourceWatch(this.#random)
    const fail = (operation: 'dial' | 'open') => ({ type: 'failed', errorType: 'EMFILE', operation }) as const
    for (const [event, advanceMs] of [
      [fail('dial'), 5_000],
      [fail('open'), 15_000],
      [{ type: 'tick' } as const, 0],
    ] as const) {
      for (const span of watch.handle(event, this.#clock.now())) this.#add(name, span)
      this.#clock.advance(advanceMs)
    }
  }

  #add(node: string, span: SpanEffect): void {
    this.spans.push(emittedBy(node, this.#clock.now(), span))
  }

  #messagesOf(self: string, mesh: string) {
    const payloads: Uint8Array[] = []
    const crossings: Parameters<ConstructorParameters<typeof Messages>[0]['sendCrossing']>[1][] = []
    const pubsub = Object.assign(new EventTarget(), {
      subscribe: () => {},
      unsubscribe: () => {},
      publish: async (_topic: string, data: Uint8Array) => {
        payloads.push(data)
        return { recipients: ['a neighbour'] }
      },
    })
    const messages = new Messages({
      self,
      owner: new Owner(self, this.#clock),
      clock: this.#clock,
      random: this.#random,
      meshes: [mesh],
      pubsub: pubsub as unknown as PubSub,
      messageBytes: 1_000,
      isMember: () => true,
      waitUntilReachable: async () => {},
      emitSpan: (span) => this.#add(self, span),
      exportsSpans: true,
      sendCrossing: (_mesh, crossing) => crossings.push(crossing),
      seal: async (topic, sealed, number, trace) => {
        const origin = { id: `${self}/${number}`, origin: self, originMesh: mesh, topic, hops: 0, sealed }
        return trace === undefined ? origin : { ...origin, trace }
      },
      nextSequence: () => 1n,
      onTopicsChange: () => {},
      onHandlerError: () => {},
      onUnreadable: () => {},
    })
    messages.start()
    return { messages, payloads, crossings, pubsub }
  }
}
