import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

// The bench protocol for peers in JavaScript (PROTOCOL.md). Plain JavaScript without dependencies, so that measuring
// costs stock and mesh nodes the same.

/**
 * @typedef {object} Peer
 * @property {readonly string[]} addresses Dial addresses, valid after `start`.
 * @property {(dial: readonly string[]) => Promise<void>} start
 * @property {(data: Uint8Array) => Promise<unknown>} publish
 * @property {() => number} links Peers connected now.
 * @property {() => number} [members] Other live nodes it knows.
 * @property {() => number} [copies] Messages received since the last call, duplicates included.
 * @property {() => Promise<void>} stop
 */

/** @typedef {{ id: number, do: string, dial?: string[], bytes?: number, rate?: number, count?: number }} Command */

/** Latencies kept between two counts: 20 s at 1,000 messages per second. Further messages are counted only. */
const maxLatencies = 20_000
const nsPerMs = 1e6
const nsPerS = 1e9
/** CLOCK_MONOTONIC: one clock for all processes of a machine. */
const now = () => process.hrtime.bigint()

/** Deliveries since the last count. */
export class Deliveries {
  #received = 0
  /** @type {number[]} */
  #latencies = []

  /** @param {Uint8Array} data */
  record(data) {
    if (data.length < 8) return
    this.#received++
    if (this.#latencies.length >= maxLatencies) return
    const sentAt = new DataView(data.buffer, data.byteOffset).getBigUint64(0)
    this.#latencies.push(Number(now() - sentAt) / nsPerMs)
  }

  take() {
    const counts = { received: this.#received, latencies: this.#latencies }
    this.#received = 0
    this.#latencies = []
    return counts
  }
}

/**
 * Sends `ready`, then answers commands until `exit` or the end of input, which means that the bench has exited.
 *
 * @param {Peer} peer
 * @param {Deliveries} deliveries
 */
export async function servePeer(peer, deliveries) {
  send({ event: 'ready', protocol: 1, addresses: peer.addresses })
  for await (const line of createInterface({ input: process.stdin })) {
    const command = /** @type {Command} */ (JSON.parse(line))
    if (command.do === 'exit') break
    execute(peer, deliveries, command).then(
      (event) => send({ ...event, id: command.id }),
      (error) => send({ event: 'failed', id: command.id, why: String(error) }),
    )
  }
  await peer.stop().catch(() => {})
  process.exit(0)
}

/**
 * @param {Peer} peer
 * @param {Deliveries} deliveries
 * @param {Command} command
 */
async function execute(peer, deliveries, { do: what, dial = [], bytes = 256, rate = 20, count = 0 }) {
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
    case 'held': {
      // Only the hub of the churn bench needs this code.
      const { held } = await import('./churn/held.js')
      return { event: 'held', ...(await held()) }
    }
    default:
      throw new Error(`unknown command ${what}`)
  }
}

/**
 * Message n is due n / rate seconds after the first. A late message goes out at once with the time at which it was due:
 * a publisher that cannot keep up shows as latency, as its subscribers see it.
 *
 * @param {Pick<Peer, 'publish'>} peer
 * @param {number} bytes
 * @param {number} rate
 * @param {number} count
 */
export async function publish(peer, bytes, rate, count) {
  const startNs = now()
  for (let i = 0; i < count; i++) {
    const dueNs = startNs + BigInt(Math.round((i * nsPerS) / rate))
    const earlyNs = Number(dueNs - now())
    if (earlyNs > 0) await sleep(earlyNs / nsPerMs)
    const data = new Uint8Array(bytes)
    const sentNs = now()
    new DataView(data.buffer).setBigUint64(0, sentNs < dueNs ? sentNs : dueNs)
    await peer.publish(data)
  }
}

/** @param {object} event */
function send(event) {
  process.stdout.write(`${JSON.stringify(event)}\n`)
}
