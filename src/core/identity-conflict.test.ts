import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SpanEffect, SpanEffectOf } from '../catalogue/span-effect.ts'
import type { SpanName } from '../catalogue/spans.ts'
import { digestOf } from '../testing/core/view-fixture.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { seededRandom } from '../testing/random.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import { delayMs } from './backoff.ts'
import type { ConnectionInfo, NodeEffect } from './events.ts'
import type { Digest, Frame, Hello } from './frames.ts'
import { MeshNode } from './mesh-node.ts'
import { Owner } from './owner.ts'
import { newTrace } from './trace.ts'

leakCheck()

const common = { meshes: ['mesh-a'], role: 'compute', incarnation: 1, build: 'test' } as const
const peer = 'peer-p'

interface Process {
  readonly instance: string | undefined
  readonly incarnation: number
  readonly host: string
  readonly from: number
  readonly to: number
  /** Redials with growing waits when the node closes its link. */
  connection?: string
  hangups: number
  dials: number
  dialAt: number
  digestAt: number
  sequence: number
}

const process = (instance: string | undefined, host: string, from = 0, to = Infinity, incarnation = 1): Process => ({
  ...{ instance, incarnation, host, from, to },
  ...{ hangups: 0, dials: 0, dialAt: from, digestAt: Infinity, sequence: 0 },
})

/** A neighbour that processes of one identity dial, and redial whenever it closes their link. */
class Neighbour {
  readonly node: MeshNode
  readonly spans: { readonly at: number; readonly effect: SpanEffect }[] = []
  readonly sent: { readonly at: number; readonly process: Process; readonly frame: Frame }[] = []
  readonly #random = seededRandom(3)
  #connections: { readonly info: ConnectionInfo; readonly process: Process }[] = []
  #now = 0
  #ids = 0

  constructor() {
    const options = {
      stalenessMs: 30_000,
      sweepMs: 5_000,
      digestMs: 2_000,
      gossipDigestMs: 10_000,
      neighbours: 8,
      maxPeers: 300,
    }
    const owner = new Owner('node-a', new VirtualClock())
    const { node: random, ...rest } = { node: seededRandom(1), ...options }
    this.node = new MeshNode(owner, { ...common, ...rest, self: 'peer-a', name: 'a', seeds: [], random })
    this.#apply(this.node.handle({ type: 'started', settings: [] }, 0))
  }

  run(processes: readonly Process[], untilMs: number): this {
    for (; this.#now <= untilMs; this.#now += 100) {
      for (const one of processes) this.#step(one)
      if (this.node.deadline() <= this.#now) this.#apply(this.node.handle({ type: 'tick' }, this.#now))
    }
    return this
  }

  spansNamed<N extends SpanName>(name: N): { at: number; attributes: SpanEffectOf<N>['attributes'] }[] {
    return this.spans.flatMap(({ at, effect }) =>
      effect.span === name ? [{ at, attributes: (effect as unknown as SpanEffectOf<N>).attributes }] : [],
    )
  }

  #step(one: Process): void {
    const now = this.#now
    if (now >= one.to && one.connection !== undefined) this.#drop(one.connection, false)
    if (now < one.from || now >= one.to) return
    if (one.connection === undefined && one.dialAt <= now) this.#dial(one)
    if (one.digestAt <= now && one.connection !== undefined) {
      one.digestAt = now + 2_000
      this.#frame(one, { type: 'digest', digest: this.#digest(one) })
    }
  }

  #dial(one: Process): void {
    one.dials++
    one.connection = `c${++this.#ids}`
    one.digestAt = this.#now
    const address = `/ip4/${one.host}/udp/${40_000 + one.dials}/quic-v1`
    const info = { id: one.connection, peer, direction: 'inbound', address, transport: 'quic', gossip: 'none' } as const
    this.#connections = [...this.#connections, { info, process: one }]
    this.#observe()
    this.#apply(this.node.handle({ type: 'stream.open', connection: one.connection }, this.#now))
    const { instance, incarnation } = one
    const hello: Hello = {
      ...common,
      incarnation,
      instance,
      name: 'p',
      counter: one.dials,
      trace: newTrace(this.#random),
    }
    this.#frame(one, { type: 'hello', hello })
  }

  #digest(one: Process): Digest {
    const { instance, incarnation } = one
    return digestOf(peer, { instance, incarnation, sequence: ++one.sequence, addresses: [`/ip4/${one.host}/tcp/4001`] })
  }

  #frame(one: Process, frame: Frame): void {
    if (one.connection === undefined) return
    this.#apply(this.node.handle({ type: 'frame', connection: one.connection, frame, wall: 0 }, this.#now))
  }

  #observe(): void {
    const connections = this.#connections.map(({ info }) => info)
    this.#apply(this.node.handle({ type: 'observed', connections }, this.#now))
  }

  #drop(connection: string, redial = true): void {
    const entry = this.#connections.find(({ info }) => info.id === connection)
    if (entry === undefined) return
    this.#connections = this.#connections.filter((one) => one !== entry)
    const { process: one } = entry
    if (one.connection === connection) {
      delete one.connection
      one.digestAt = Infinity
      one.hangups++
      if (redial) one.dialAt = this.#now + delayMs(one.hangups, this.#random())
    }
    this.#observe()
  }

  #apply(effects: readonly NodeEffect[]): void {
    const closedConnections: string[] = []
    for (const effect of effects) {
      if (effect.do === 'emit-span') this.spans.push({ at: this.#now, effect })
      if (effect.do === 'close') closedConnections.push(effect.connection)
      const to = effect.do === 'send' && this.#connections.find(({ info }) => info.id === effect.connection)
      if (!to || effect.do !== 'send') continue
      this.sent.push({ at: this.#now, process: to.process, frame: effect.frame })
      if (effect.frame.type === 'probe') this.#frame(to.process, { type: 'answer' })
    }
    for (const connection of closedConnections) this.#drop(connection)
  }
}

const a = '00000000000000aa'
const b = '00000000000000bb'

for (const [kind, incarnations] of [
  ['equal incarnations', [1, 1]],
  ['the later one with the higher incarnation', [1, 2]],
  ['the later one with the lower incarnation', [2, 1]],
] as const) {
  test(`two processes of one identity, ${kind}: the neighbour reports both addresses, and links do not flap`, () => {
    const [one, two] = [
      process(a, '10.0.0.1', 0, Infinity, incarnations[0]),
      process(b, '10.0.0.2', 20_000, Infinity, incarnations[1]),
    ]
    const neighbour = new Neighbour().run([one, two], 195_000)
    const conflicts = neighbour.spansNamed('mesh.identity.conflict')
    const [first] = conflicts
    assert.ok(first !== undefined && first.at < 50_000, `at ${first?.at}`)
    assert.equal(conflicts.length <= 4, true)
    assert.deepEqual(first.attributes['mesh.identity.instances'], [a, b])
    assert.match(String(first.attributes['mesh.identity.addresses']), /10\.0\.0\.1.*10\.0\.0\.2/)
    const superseded = neighbour.spansNamed('mesh.connection.superseded').length
    assert.ok(superseded <= 15, `${superseded} in 175 s`)
    // The neighbour's digest informs both processes.
    for (const clone of [one, two]) {
      const isNotified = neighbour.sent.some(
        ({ process, frame }) =>
          process === clone && frame.type === 'digest' && frame.digest.conflicts?.[0]?.peer === peer,
      )
      assert.ok(isNotified, `${clone.host} has the conflict in a digest`)
    }
  })
}

test('one of the two stops: the other stays a member without expiring', () => {
  const [one, two] = [process(a, '10.0.0.1', 0, Infinity, 1), process(b, '10.0.0.2', 20_000, 80_000, 2)]
  const neighbour = new Neighbour().run([one, two], 200_000)
  assert.equal(neighbour.node.view.get(peer)?.state, 'member')
  assert.equal(neighbour.node.view.get(peer)?.digest.instance, a)
  assert.equal(neighbour.spansNamed('mesh.member.expired').length, 0)
  const [last] = neighbour.sent.flatMap(({ frame }) => (frame.type === 'digest' ? [frame.digest] : [])).slice(-1)
  assert.equal(last?.conflicts, undefined)
})

test('restart at the same or another address: no conflict', () => {
  for (const host of ['10.0.0.1', '10.0.0.2'])
    for (const incarnation of [1, 2]) {
      const before = process(a, '10.0.0.1', 0, 20_000)
      const after = process(b, host, 20_100, Infinity, incarnation)
      const neighbour = new Neighbour().run([before, after], 120_000)
      assert.deepEqual(neighbour.spansNamed('mesh.identity.conflict'), [])
    }
})

test('guest replays digests of the previous process after a restart: no conflict', () => {
  const neighbour = new Neighbour()
  const processes = [process(a, '10.0.0.1', 0, 20_000), process(b, '10.0.0.2', 20_100, Infinity, 2)]
  const startedAt = 1_700_000_000_000
  for (let now = 40_000, sent = 0; now <= 200_000; now += 10_000) {
    neighbour.run(processes, now)
    sent = Math.min(20_000, sent + 4_000)
    const digest = digestOf(peer, { instance: a, sequence: sent, sentAt: startedAt + sent })
    neighbour.node.handle({ type: 'gossip', mesh: 'mesh-a', from: peer, digest, wall: startedAt + now }, now)
    assert.equal(neighbour.node.view.get(peer)?.sightings.conflict, undefined, `at ${now}`)
  }
})

test('roaming process, or one with several connections: no conflict', () => {
  const here = process(a, '10.0.0.1', 0, 60_000)
  const there = process(a, '10.0.0.2', 30_000)
  const neighbour = new Neighbour().run([here, there], 120_000)
  assert.deepEqual(neighbour.spansNamed('mesh.identity.conflict'), [])
})

test('two processes of a version without instances: distinguished by incarnation', () => {
  const processes = [
    process(undefined, '10.0.0.1', 0, Infinity, 1),
    process(undefined, '10.0.0.2', 20_000, Infinity, 2),
  ]
  const [first] = new Neighbour().run(processes, 120_000).spansNamed('mesh.identity.conflict')
  assert.deepEqual(first?.attributes['mesh.identity.instances'], ['#1', '#2'])
})
