import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

// The bench protocol as a peer in JavaScript speaks it (PROTOCOL.md). Plain JavaScript and without a dependency, so that
// stock and mesh nodes spend the same on being measured.

/**
 * @typedef {object} Peer
 * @property {readonly string[]} addresses Where it can be dialled once it was started.
 * @property {(dial: readonly string[]) => Promise<void>} start
 * @property {(data: Uint8Array) => Promise<unknown>} publish
 * @property {() => number} links Peers connected now.
 * @property {() => number} [members] Other nodes it knows to be alive.
 * @property {() => number} [copies] Messages that arrived since the last call, duplicates included.
 * @property {() => Promise<void>} stop
 */

/** @typedef {{ id: number, do: string, dial?: string[], bytes?: number, rate?: number, count?: number }} Asked */

/** Latencies between two counts: 20 s at 1,000 messages per second. What comes on top is counted and not timed. */
const timesKept = 20_000
const nsPerMs = 1e6
const nsPerS = 1e9
/** CLOCK_MONOTONIC: one clock for all processes of a machine. */
const now = () => process.hrtime.bigint()

/** What arrived since the last count. */
export class Deliveries {
  #received = 0
  /** @type {number[]} */
  #latencies = []

  /** @param {Uint8Array} data */
  heard(data) {
    if (data.length < 8) return
    this.#received++
    if (this.#latencies.length >= timesKept) return
    const sentAt = new DataView(data.buffer, data.byteOffset).getBigUint64(0)
    this.#latencies.push(Number(now() - sentAt) / nsPerMs)
  }

  take() {
    const taken = { received: this.#received, latencies: this.#latencies }
    this.#received = 0
    this.#latencies = []
    return taken
  }
}

/**
 * Says it is ready, then answers commands until its input ends or says `exit`: whoever started it is gone then.
 *
 * @param {Peer} peer
 * @param {Deliveries} deliveries
 */
export async function servePeer(peer, deliveries) {
  say({ event: 'ready', protocol: 1, addresses: peer.addresses })
  for await (const line of createInterface({ input: process.stdin })) {
    const asked = /** @type {Asked} */ (JSON.parse(line))
    if (asked.do === 'exit') break
    answer(peer, deliveries, asked).then(
      (event) => say({ ...event, id: asked.id }),
      (error) => say({ event: 'failed', id: asked.id, why: String(error) }),
    )
  }
  await peer.stop().catch(() => {})
  process.exit(0)
}

/**
 * @param {Peer} peer
 * @param {Deliveries} deliveries
 * @param {Asked} asked
 */
async function answer(peer, deliveries, { do: what, dial = [], bytes = 256, rate = 20, count = 0 }) {
  switch (what) {
    case 'start':
      await peer.start(dial)
      return { event: 'started' }
    case 'publish':
      await publish(peer, bytes, rate, count)
      return { event: 'published', count }
    case 'count':
      return {
        event: 'count',
        links: peer.links(),
        members: peer.members?.(),
        copies: peer.copies?.(),
        ...deliveries.take(),
      }
    case 'cpu': {
      const { user, system } = process.cpuUsage()
      return { event: 'cpu', ms: (user + system) / 1_000 }
    }
    default:
      throw new Error(`there is no command ${what}`)
  }
}

/**
 * Message n is due n / rate seconds after the first. What is late goes out at once and keeps the time at which it was due:
 * a publisher that cannot keep up shows as latency, as it does to whoever waits for its messages.
 *
 * @param {Pick<Peer, 'publish'>} peer
 * @param {number} bytes
 * @param {number} rate
 * @param {number} count
 */
export async function publish(peer, bytes, rate, count) {
  const began = now()
  for (let i = 0; i < count; i++) {
    const due = began + BigInt(Math.round((i * nsPerS) / rate))
    const earlyNs = Number(due - now())
    if (earlyNs > 0) await sleep(earlyNs / nsPerMs)
    const data = new Uint8Array(bytes)
    const started = now()
    new DataView(data.buffer).setBigUint64(0, started < due ? started : due)
    await peer.publish(data)
  }
}

/** @param {object} event */
function say(event) {
  process.stdout.write(`${JSON.stringify(event)}\n`)
}
