import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import type { Connection, PrivateKey } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { tracemesh } from '../../kit/index.ts'
import { libp2pSettings } from '../../kit/libp2p-settings.ts'
import { tcpRelay } from './tcp-relay.ts'
import { udpRelay } from './udp-relay.ts'

// One identity that reconnects to a node again and again: reconnector UDP_PORT TCP_PORT MESH TOPIC COUNT CHECK_EVERY.
// Of four connections two end in order, the second of them only while the next one is opening; two fall silent: their
// packets are lost from then on, and the node hears no end. The first three quarters of the connections are those of a
// member, a new process each time as the node sees it; the rest are those of a guest without the mesh service.
// Prints {"event":"check","life","heardMs"} when the last message it heard was sent after that life began, and
// {"event":"lives","from","lives":[[connectedAt,leftAt,closedEarly],...]} (Unix ms), then {"event":"done","peer"}, and
// ends with its input.

const [udpPort = '', tcpPort = '', mesh = '', topic = '', ...numbers] = process.argv.slice(2)
const [count = 0, checkEvery = 1] = numbers.map(Number)
const limits = { joinMs: 15_000, checkMs: 15_000, stopMs: 8_000, stopping: 64 }
/** A life is short: a poll of `until` would be half of it. */
const pollMs = 5
/** Lives of one printed line. */
const batch = 100

/** One connection of the identity. */
interface Life {
  readonly isConnected: () => boolean
  /** Sends a message; resolves with the number of peers it went to. */
  readonly publish: (data: Uint8Array) => Promise<number>
  readonly stop: () => Promise<void>
  readonly connection: () => Connection | undefined
}

const printLine = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)
process.stdin.resume().once('end', () => process.exit(0))

const privateKey = await generateKeyPairFromSeed('Ed25519', crypto.getRandomValues(new Uint8Array(32)))
/** When the last message that arrived was sent, Unix ms. */
let heardSentAt = 0
const hear = (data: Uint8Array) => {
  const text = Buffer.from(data).toString()
  // A guest gets the header of the mesh, too.
  const { sentAt } = JSON.parse(text.slice(text.lastIndexOf('{'))) as { sentAt: number }
  heardSentAt = Math.max(heardSentAt, sentAt)
}

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
const stopping = new Set<Promise<unknown>>()
let lives: [connectedAt: number, leftAt: number, closedEarly: boolean][] = []
let peer = ''
for (let i = 0; i < count; i++) {
  lives.push(await live(i))
  if (lives.length === batch || i === count - 1) {
    printLine({ event: 'lives', from: i + 1 - lives.length, lives })
    lives = []
    // A stopped QUIC transport keeps its sockets until then.
    collectGarbage()
  }
}
await Promise.all(stopping)
printLine({ event: 'done', peer })

async function live(i: number): Promise<[number, number, boolean]> {
  const isMember = i < count * 0.75
  const isQuic = (i >> 2) % 2 === 0
  const isSilent = i % 2 === 1
  const isLast = i === count - 1 || i === Math.ceil(count * 0.75) - 1
  const path = await openPath(isQuic, isSilent && !isLast)
  const life = await (isMember ? beginMember : beginGuest)(privateKey, path.address, i)
  await waitUntil(life.isConnected, limits.joinMs, `life ${i} connects`)
  const connectedAt = Date.now()
  const connection = life.connection()
  if (i % checkEvery === 0 || isLast) await check(life, i, connectedAt)
  const closedEarly = connection?.status !== 'open'
  const leftAt = Date.now()
  path.silence()
  const stopped = Promise.race([life.stop().catch(() => {}), sleep(limits.stopMs)]).then(() => path.close())
  stopping.add(stopped)
  void stopped.then(() => stopping.delete(stopped))
  // The next connection opens while this one ends.
  if (i % 4 === 0 || isLast) await stopped
  while (stopping.size >= limits.stopping) await Promise.race(stopping)
  return [connectedAt, leftAt, closedEarly]
}

/** Messages pass both ways; the proof sees those of this life in the log of the node. */
async function check(life: Life, i: number, since: number): Promise<void> {
  const began = performance.now()
  const data = Buffer.from(JSON.stringify({ n: i, sentAt: Date.now() }))
  await waitUntil(async () => (await life.publish(data)) > 0, limits.checkMs, `life ${i} publishes`)
  await waitUntil(() => heardSentAt >= since, limits.checkMs, `life ${i} hears the node`)
  printLine({ event: 'check', life: i, heardMs: Math.round(performance.now() - began) })
}

async function waitUntil(holds: () => boolean | Promise<boolean>, limitMs: number, what: string): Promise<void> {
  const deadline = performance.now() + limitMs
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${limitMs} ms`)
    await sleep(pollMs)
  }
}

/** The address to dial, through a relay if the connection is to fall silent. */
async function openPath(isQuic: boolean, isSilent: boolean) {
  const target = Number(isQuic ? udpPort : tcpPort)
  const addressOf = (port: number) => `/ip4/127.0.0.1/${isQuic ? `udp/${port}/quic-v1` : `tcp/${port}`}`
  if (!isSilent) return { address: addressOf(target), silence: () => {}, close: async () => {} }
  if (!isQuic) {
    const relay = await tcpRelay(target)
    return { address: addressOf(relay.port), silence: relay.silence, close: async () => relay[Symbol.asyncDispose]() }
  }
  const relay = await udpRelay(target)
  let closed: Promise<void> | undefined
  const close = () => {
    closed ??= Promise.resolve(relay[Symbol.asyncDispose]())
    return closed
  }
  return { address: addressOf(relay.port), silence: () => void close(), close }
}

async function beginMember(key: PrivateKey, address: string, i: number): Promise<Life> {
  const base = libp2pSettings({ privateKey: key, listen: [] })
  const service = tracemesh({ mesh, seeds: [address], otlp: 'off', neighbours: 1, incarnation: i + 1, name: 'again' })
  const node = await createLibp2p({ ...base, services: { ...base.services, tracemesh: service } })
  peer = node.peerId.toString()
  const { tracemesh: own } = node.services
  own.subscribe(topic, ({ data }) => hear(data))
  return {
    isConnected: () => own.topology().peers.some(({ links }) => links.some(({ state }) => state === 'settled')),
    publish: async (data) => (await own.publish(topic, data)).recipients,
    stop: async () => node.stop(),
    connection: () => node.getConnections()[0],
  }
}

async function beginGuest(key: PrivateKey, address: string): Promise<Life> {
  const node = await createLibp2p(libp2pSettings({ privateKey: key, listen: [] }))
  const { pubsub } = node.services
  const name = `${mesh}/${topic}`
  pubsub.addEventListener('message', ({ detail }) => hear(detail.data))
  pubsub.subscribe(name)
  await node.dial(multiaddr(address), { signal: AbortSignal.timeout(limits.joinMs) })
  return {
    isConnected: () => pubsub.getSubscribers(name).length > 0,
    publish: async (data) => (await pubsub.publish(name, data)).recipients.length,
    stop: async () => node.stop(),
    connection: () => node.getConnections()[0],
  }
}
