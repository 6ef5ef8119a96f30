import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { SpanEffect } from '../catalogue/span-effect.ts'
import type { SpanName } from '../catalogue/spans.ts'
import { helloOf, infoOf, joinLink, makeNode } from '../testing/core/node-fixture.ts'
import { digestOf, spansNamed, wall } from '../testing/core/view-fixture.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { seededRandom } from '../testing/random.ts'
import { delayMs } from './backoff.ts'
import type { ConnectionInfo, NodeEffect } from './events.ts'
import type { Digest, Frame } from './frames.ts'
import { OwnIdentity } from './identity-watch.ts'
import type { MeshNode } from './mesh-node.ts'

leakCheck()

const a = '00000000000000aa'
const b = '00000000000000bb'

suite('another process with an identity of a member', () => {
  const peer = 'peer-p'

  interface Process {
    readonly instance: string | undefined
    readonly incarnation: number
    readonly host: string
    readonly from: number
    readonly to: number
    /** Redials with growing delays when the node closes its link. */
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
    readonly node = makeNode()
    readonly spans: { readonly at: number; readonly effect: SpanEffect }[] = []
    readonly sent: { readonly at: number; readonly process: Process; readonly frame: Frame }[] = []
    readonly #random = seededRandom(3)
    #connections: { readonly info: ConnectionInfo; readonly process: Process }[] = []
    #now = 0
    #ids = 0

    constructor() {
      this.#apply(this.node.handle({ type: 'started', settings: [] }, 0))
    }

    run(processes: readonly Process[], untilMs: number): this {
      for (; this.#now <= untilMs; this.#now += 100) {
        for (const one of processes) this.#step(one)
        if (this.node.deadline() <= this.#now) this.#apply(this.node.handle({ type: 'tick' }, this.#now))
      }
      return this
    }

    spansNamed<N extends SpanName>(name: N) {
      return this.spans.flatMap(({ at, effect }) =>
        spansNamed([effect], name).map(({ attributes }) => ({ at, attributes })),
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
      this.#connections = [...this.#connections, { info: infoOf({ id: one.connection, peer, address }), process: one }]
      this.#observe()
      const { instance, incarnation, dials: counter } = one
      this.#apply(joinLink(this.node, one.connection, this.#now, helloOf({ incarnation, instance, counter })))
    }

    #digest(one: Process): Digest {
      const { instance, incarnation } = one
      const addresses = [`/ip4/${one.host}/tcp/4001`]
      return digestOf(peer, { instance, incarnation, sequence: ++one.sequence, addresses })
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

  for (const [kind, incarnations] of [
    ['equal incarnations', [1, 1]],
    ['the later one with the higher incarnation', [1, 2]],
    ['the later one with the lower incarnation', [2, 1]],
  ] as const) {
    test(`two processes, ${kind}: the neighbour reports both addresses, and links do not flap`, () => {
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

  for (const [situation, processes] of [
    ...['10.0.0.1', '10.0.0.2'].flatMap((host) =>
      [1, 2].map((incarnation) => [
        `restart at ${host} with incarnation ${incarnation}`,
        [process(a, '10.0.0.1', 0, 20_000), process(b, host, 20_100, Infinity, incarnation)],
      ]),
    ),
    [
      'roaming process, or one with several connections',
      [process(a, '10.0.0.1', 0, 60_000), process(a, '10.0.0.2', 30_000)],
    ],
  ] as [string, Process[]][]) {
    test(`${situation}: no conflict`, () => {
      assert.deepEqual(new Neighbour().run(processes, 120_000).spansNamed('mesh.identity.conflict'), [])
    })
  }

  test('guest replays digests of the previous process after a restart: no conflict', () => {
    const neighbour = new Neighbour()
    const processes = [process(a, '10.0.0.1', 0, 20_000), process(b, '10.0.0.2', 20_100, Infinity, 2)]
    for (let now = 40_000, sent = 0; now <= 200_000; now += 10_000) {
      neighbour.run(processes, now)
      sent = Math.min(20_000, sent + 4_000)
      const digest = digestOf(peer, { instance: a, sequence: sent, sentAt: wall + sent })
      neighbour.node.handle({ type: 'gossip', mesh: 'mesh-a', from: peer, digest, wall: wall + now }, now)
      assert.equal(neighbour.node.view.get(peer)?.sightings.conflict, undefined, `at ${now}`)
    }
  })

  test('two processes of a version without instances: distinguished by incarnation', () => {
    const processes = [
      process(undefined, '10.0.0.1', 0, Infinity, 1),
      process(undefined, '10.0.0.2', 20_000, Infinity, 2),
    ]
    const [first] = new Neighbour().run(processes, 120_000).spansNamed('mesh.identity.conflict')
    assert.deepEqual(first?.attributes['mesh.identity.instances'], ['#1', '#2'])
  })
})

suite('another process with the own identity', () => {
  const addresses = ['/ip4/10.0.0.1/tcp/1', '/ip4/10.0.0.2/tcp/1'] as const
  const conflict = { peer: 'self', instances: [a, b], addresses }
  const clone = (changes: Partial<Digest> = {}) => digestOf('self', { instance: b, ...changes })

  function startedIdentity(): OwnIdentity {
    const own = new OwnIdentity({ self: 'self', name: 'me', instance: a, addresses: () => addresses.slice(0, 1) })
    own.onStarted(0)
    return own
  }

  test("neighbour's report of this process and another: emitted once a minute", () => {
    const own = startedIdentity()
    const emitted = [0, 10_000, 59_999, 60_000, 130_000].map((at) => own.onReport(conflict, at).length)
    assert.deepEqual(emitted, [1, 0, 0, 1, 1])
  })

  test('report about another peer, or about two earlier processes: ignored', () => {
    const own = startedIdentity()
    assert.deepEqual(own.onReport({ ...conflict, peer: 'other' }, 0), [])
    assert.deepEqual(own.onReport({ ...conflict, instances: [b, '00000000000000cc'] }, 0), [])
  })

  test('gossip with this node’s own signature: a conflict, once it cannot be from the previous process', () => {
    const own = startedIdentity()
    const digest = clone({ addresses: addresses.slice(1) })
    assert.deepEqual(own.onOwnSignature(digest, 0, 29_000), [])
    assert.deepEqual(own.onOwnSignature(clone({ instance: a }), 0, 31_000), [])
    const [emitted] = spansNamed(own.onOwnSignature(digest, 0, 31_000), 'mesh.identity.conflict')
    assert.deepEqual(emitted?.attributes['mesh.identity.addresses'], addresses)
  })

  test('replayed digest of the previous process, or of one that ended: no conflict', () => {
    const own = startedIdentity()
    assert.deepEqual(own.onOwnSignature(clone(), 80_000, 70_000), [], 'sent before the start')
    assert.deepEqual(own.onOwnSignature(clone(), 100_000, 1_000_000), [], 'sent long ago')
    assert.equal(own.onOwnSignature(clone(), 20_000, 1_000_000).length, 1)
  })

  test('dial rate: slowed by a report and a refused link together or an own signature, not by one of the former', () => {
    const report = (own: OwnIdentity) => own.onReport(conflict, 40_000)
    const refusal = (own: OwnIdentity) => own.onLinkRefused(40_000)
    const signature = (own: OwnIdentity) => own.onOwnSignature(clone(), 0, 40_000)
    const dialAfter = (...evidence: ((own: OwnIdentity) => unknown)[]) => {
      const own = startedIdentity()
      for (const act of evidence) act(own)
      own.onDialled(40_000)
      return own.dialAfter(41_000)
    }
    assert.equal(dialAfter(report), -Infinity)
    assert.equal(dialAfter(refusal), -Infinity)
    assert.equal(dialAfter(report, refusal), 100_000)
    assert.equal(dialAfter(signature), 100_000)
  })

  /** A node whose seeds never answer; calls `onStep` every 100 ms, which may deliver events. */
  function run(untilMs: number, onStep: (node: MeshNode, now: number) => NodeEffect[]) {
    const node = makeNode({ instance: a, seeds: ['/ip4/10.0.0.9/tcp/1', '/ip4/10.0.0.9/udp/1/quic-v1'] })
    const failure = { stage: 'dial', addresses: [], errorType: 'ECONNREFUSED', errorMessage: '' } as const
    const [dials, conflicts]: [number[], number[]] = [[], []]
    let ticks = 0
    const apply = (effects: readonly NodeEffect[], now: number) => {
      for (const effect of effects) {
        if (effect.do === 'emit-span' && effect.span === 'mesh.identity.conflict') conflicts.push(now)
        if (effect.do !== 'dial.seed') continue
        dials.push(now)
        apply(node.handle({ type: 'seed.failed', seed: effect.seed, failure }, now), now)
      }
    }
    apply(node.handle({ type: 'started', settings: [] }, 0), 0)
    for (let now = 0; now <= untilMs; now += 100) {
      apply(onStep(node, now), now)
      for (let ticksAtOnce = 0; node.deadline() <= now && ticksAtOnce < 10; ticksAtOnce++, ticks++)
        apply(node.handle({ type: 'tick' }, now), now)
    }
    return { dials, conflicts, ticks }
  }

  const gossip = (digest: Digest) => ({ type: 'gossip', mesh: 'mesh-a', from: digest.peer, digest, wall }) as const

  /** A member that links to the node and reports a conflict; `refuses`: it closes each link as superseded and relinks. */
  function neighbour(refuses: boolean, untilMs: number) {
    let sequence = 0
    return (node: MeshNode, now: number): NodeEffect[] => {
      const connection = refuses ? `c${Math.floor(now / 50_000)}` : 'c'
      const observe = (...connections: ConnectionInfo[]) => node.handle({ type: 'observed', connections }, now)
      if (now >= untilMs) return observe()
      const send = (frame: Frame) => node.handle({ type: 'frame', connection, frame, wall }, now)
      const isFirst = node.ledger.find(connection) === undefined && (!refuses || now % 50_000 === 0)
      const effects = isFirst ? [...observe(infoOf({ id: connection })), ...joinLink(node, connection, now)] : []
      const digest = digestOf('p', { sequence: ++sequence, conflicts: [conflict] })
      if (now % 2_000 === 0 && node.ledger.find(connection)?.[1].kind === 'member')
        effects.push(...send({ type: 'digest', digest }))
      if (!refuses || !isFirst) return effects
      return [...effects, ...send({ type: 'goodbye', reason: 'superseded', trace: helloOf().trace }), ...observe()]
    }
  }

  const undisturbed = run(600_000, () => [])

  test('its gossip: the node dials once a minute, and at its usual rate afterwards', () => {
    let sequence = 0
    const { dials, ticks } = run(400_000, (node, now) => {
      if (now >= 200_000 || now % 10_000 !== 0) return []
      return node.handle(gossip(clone({ sequence: ++sequence })), now)
    })
    const during = new Set(dials.filter((at) => at > 40_000 && at < 200_000))
    assert.ok(during.size <= 4, `${[...during]}`)
    assert.ok(dials.filter((at) => at > 300_000).length >= 6, 'it dials at its usual rate afterwards')
    assert.ok(ticks < 2_000, `${ticks} ticks: nothing is due again and again`)
  })

  test('conflict with this node in digests over gossip: not trusted, and slows no dial', () => {
    const forged = run(600_000, (node, now) =>
      now % 60_000 === 0 ? node.handle(gossip(digestOf('guest-1', { sequence: now, conflicts: [conflict] })), now) : [],
    )
    assert.deepEqual(forged.conflicts, [])
    assert.equal(forged.dials.length, undisturbed.dials.length)
  })

  test('conflict report of a linked member: emitted; if it also refuses each link, the node dials once a minute', () => {
    const reports = run(600_000, neighbour(false, 300_000))
    assert.ok(reports.conflicts.length >= 4 && reports.conflicts.length <= 6, `${reports.conflicts}`)
    const after = ({ dials }: { dials: readonly number[] }) =>
      new Set(dials.filter((at) => at > 60_000 && at < 300_000)).size
    const refused = run(600_000, neighbour(true, 600_000))
    assert.ok(refused.conflicts.length >= 5, `${refused.conflicts}`)
    assert.ok(after(refused) <= 5, `${after(refused)}`)
    assert.ok(after(undisturbed) >= 7, `${after(undisturbed)}`)
  })
})
