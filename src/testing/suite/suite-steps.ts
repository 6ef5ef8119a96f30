import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Network, NetworkEvent } from '../../core/events.ts'
import type { Digest, Frame, FrameType } from '../../core/frames.ts'
import { newTrace } from '../../core/trace.ts'
import { seededRandom } from '../random.ts'

/** The mesh of all networks of the suite. */
export const suiteMesh = 'suite'

/** Networks of one kind, not yet started: the suite calls `start` and `stop` of each. */
export interface SuiteWorld {
  readonly networks: readonly Network[]
  /** Listen address of each network, by its index, without `/p2p/`. */
  readonly addresses: readonly string[]
  /** Listen addresses of the guests: peers that identify but do not support the link protocol. */
  readonly guests: readonly string[]
  /** A valid address without a listener. */
  readonly deadAddress: string
  /** Lets `ms` milliseconds pass: virtual ones or real ones. */
  settle(ms: number): Promise<void>
  /** Frees everything; the networks are stopped by then. */
  close(): Promise<void>
}

export interface SuiteOptions {
  /** How many guests to run beside the networks. */
  readonly guests: number
  /** Mesh whose digests all networks subscribe to. */
  readonly mesh: string
}

export interface SuiteHarness {
  create(count: number, options: SuiteOptions): Promise<SuiteWorld>
}

type EventOf<T extends NetworkEvent['type']> = Extract<NetworkEvent, { type: T }>

/** A network under test, with its events so far. */
export class Recorder {
  readonly network: Network
  readonly #world: SuiteWorld
  #events: NetworkEvent[] = []

  constructor(network: Network, world: SuiteWorld) {
    this.network = network
    this.#world = world
  }

  start(): Promise<void> {
    return this.network.start((event) => this.#events.push(event))
  }

  all(): readonly NetworkEvent[] {
    return this.#events
  }

  clear(): void {
    this.#events = []
  }

  events<T extends NetworkEvent['type']>(type: T): EventOf<T>[] {
    return this.#events.filter((event): event is EventOf<T> => event.type === type)
  }

  count(type: NetworkEvent['type']): number {
    return this.events(type).length
  }

  frames(): Frame[] {
    return this.events('frame').map((event) => event.frame)
  }

  /** Waits up to `ms` for the first event of this type. */
  async wait<T extends NetworkEvent['type']>(type: T, ms = 6_000): Promise<EventOf<T>> {
    await until(this.#world, () => this.count(type) > 0, ms, `${type} within ${ms} ms`)
    return this.events(type)[0] as EventOf<T>
  }
}

/** Lets time pass until `holds` is true, for `ms` at most. */
export async function until(world: SuiteWorld, holds: () => boolean, ms: number, what = 'condition'): Promise<void> {
  const stepMs = 10
  for (let passed = 0; passed < ms && !holds(); passed += stepMs) await world.settle(stepMs)
  assert.ok(holds(), `not met in time: ${what}`)
}

/** Dials, opens the link stream, and returns the connection's id on each end. */
export async function connect(world: SuiteWorld, dialler: Recorder, listener: Recorder) {
  const seed = world.addresses[world.networks.indexOf(listener.network)] as string
  const outbound = (): string | undefined =>
    dialler.network.snapshot().find((info) => info.peer === listener.network.self && info.direction === 'outbound')?.id
  const inbound = (): string | undefined =>
    listener.network.snapshot().find((info) => info.peer === dialler.network.self && info.direction === 'inbound')?.id
  dialler.network.perform({ do: 'dial.seed', seed, limitMs: 5_000 })
  await until(world, () => outbound() !== undefined && inbound() !== undefined, 6_000, 'connected')
  const ids = { dialler: outbound() as string, listener: inbound() as string }
  dialler.network.perform({ do: 'open', connection: ids.dialler })
  const open = (end: Recorder, id: string) => end.events('stream.open').some((event) => event.connection === id)
  await until(world, () => open(dialler, ids.dialler) && open(listener, ids.listener), 6_000, 'stream open')
  return ids
}

type Recorders = [Recorder, Recorder, Recorder]

export type WorldTest = ReturnType<typeof worldTestOf>

/** Defines tests that create, start, run, stop and free a world of this harness, also when they fail. */
export function worldTestOf(harness: SuiteHarness) {
  return (
    title: string,
    networks: 1 | 2 | 3,
    run: (world: SuiteWorld, recorders: Recorders) => Promise<void>,
    { guests = 0, isStarted = true } = {},
  ) =>
    test(title, async () => {
      const world = await harness.create(networks, { guests, mesh: suiteMesh })
      const recorders = world.networks.map((network) => new Recorder(network, world))
      try {
        if (isStarted) for (const recorder of recorders) await recorder.start()
        await run(world, recorders as Recorders)
      } finally {
        for (const { network } of recorders) await network.stop()
        await world.close()
      }
    })
}

const trace = newTrace(seededRandom(1))

/** A digest with every field set, within the limits of every implementation. */
export function digestOf(peer: string, sequence: number): Digest {
  return {
    peer,
    name: 'node-1',
    role: 'gateway',
    meshes: ['suite'],
    incarnation: 3,
    sequence,
    intervalMs: 2_000,
    addresses: ['/ip4/127.0.0.1/udp/4001/quic-v1', '/ip6/::1/tcp/4001'],
    topics: ['orders', 'prices'],
    links: [peer],
    sentAt: 1_700_000_000_000,
  }
}

/** One frame of every type. */
export function allFrames(peer: string): Frame[] {
  const nonce = '0a'.repeat(16)
  const frames: { readonly [T in FrameType]: Omit<Extract<Frame, { readonly type: T }>, 'type'> } = {
    hello: {
      hello: {
        meshes: ['suite', 'other'],
        name: 'node-1',
        role: 'bridge',
        incarnation: 3,
        build: '1.2.3',
        counter: 9,
        trace,
      },
    },
    digest: { digest: digestOf(peer, 7) },
    unchanged: { incarnation: 3, sequence: 8 },
    probe: {},
    answer: {},
    credentials: { credentials: ['header.payload.signature'] },
    goodbye: { reason: 'stopping', trace },
    'dialback.request': { request: { nonce, transport: 'quic', port: 4001 } },
    'dialback.result': { result: { nonce, outcome: 'unreachable' } },
  }
  return Object.entries(frames).map(([type, fields]) => ({ type, ...fields }) as Frame)
}

/** The largest value in any turn of the event loop while `run` goes on. */
export async function sampleMost(read: () => number, run: () => Promise<void>): Promise<number> {
  let most = 0
  const sample = () => {
    most = Math.max(most, read())
    timer = setImmediate(sample)
  }
  let timer = setImmediate(sample)
  try {
    await run()
  } finally {
    clearImmediate(timer)
  }
  return most
}
