import { loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Transport } from '../../testing/suite/real-world.ts'
import { endToEnd } from '../end-to-end.ts'
import { atMost, type Check } from '../proof.ts'
import { cachedBytes, type Kind, type Peer, startForeignGuest, startPeer, timeUntilExchange } from './mute-pairs.ts'

/** Command line of a guest of another implementation, as for `foreign-guest`. */
const variable = 'TRACEMESH_GUEST_PEER'
const largeBytes = 1_100_000
/** Largest message of go-libp2p, less its envelope. */
const foreignBytes = 1_000_000
const cachedCount = 20
const exchangeLimitMs = 15_000
/** Limit until gossipsub has its streams and meshes. */
const startMs = 20_000
/** Time for messages to arrive. */
const arrivalMs = 1_500

/** An application closes no connection that it dialled itself, as here: only heals can repair its gossip. */
const pairs: readonly (readonly [Kind, Kind])[] = [
  ['mesh', 'mesh'],
  ['mesh', 'app'],
  ['mesh', 'small-app'],
  ['mesh', 'small-guest'],
  ['app', 'small-app'],
  ['app', 'small-guest'],
]

interface Outcome {
  readonly what: string
  readonly arrived: number
  readonly sent: number
  readonly bothWaysMs: number
  /** Gossip spans that the two emitted meanwhile. */
  readonly gossipSpans: readonly string[]
}

export const proof = endToEnd({
  name: 'mute',
  about:
    'RPCs of 1.1 and 1.2 MB between any two of node, application and guest: gossip passes both ways within 15 s, and a span reports each message that does not arrive',
  quick: false,
  seconds: 330,
  async run({ progress }) {
    const outcomes: Outcome[] = []
    for (const transport of ['tcp', 'quic'] as const) {
      for (const [one, other] of pairs) {
        outcomes.push(...(await runPair(one, other, transport)))
        progress(`${transport}, ${one} and ${other}: ${outcomes.slice(-4).map(describeOutcome).join('; ')}`)
      }
    }
    const command = process.env[variable]?.trim() ?? ''
    if (command !== '') outcomes.push(...(await runForeignGuest(command)))
    const check = { what: 'a guest of another implementation', want: 'one', got: `${variable} is not set` }
    const missingGuestChecks: Check[] = command === '' ? [{ ...check, holds: 'not shown' }] : []
    return { figures: { outcomes, load: loadavg() }, checks: [...outcomes.flatMap(checksOf), ...missingGuestChecks] }
  },
})

function describeOutcome({ bothWaysMs, arrived, sent }: Outcome): string {
  return `${arrived} of ${sent} arrived, both ways after ${bothWaysMs} ms`
}

function checksOf({ what, arrived, sent, bothWaysMs, gossipSpans }: Outcome): Check[] {
  const missing = arrived < sent
  return [
    atMost(`${what}: gossip both ways`, exchangeLimitMs, bothWaysMs, 'ms'),
    {
      what: `${what}: a span for the missing messages`,
      want: 'a span',
      got: missing ? gossipSpans.join(' ') || 'none' : 'all arrived',
      holds: !missing || gossipSpans.length > 0,
    },
  ]
}

async function runPair(kindOne: Kind, kindOther: Kind, transport: Transport): Promise<Outcome[]> {
  const one = await startPeer(kindOne, transport)
  const other = await startPeer(kindOther, transport)
  try {
    await one.dial(other.address)
    await waitForStart(one, other)
    const outcomes: Outcome[] = []
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      const name = `${transport}, ${from.kind} to ${to.kind}`
      outcomes.push(await sendLarge(name, from, to))
      outcomes.push(
        await measureOutcome(`${name}, ${cachedCount} messages in one answer`, from, to, cachedCount, async () => {
          to.sendIwant(from.id, await from.fillCache(cachedCount))
        }),
      )
    }
    return outcomes
  } finally {
    await Promise.all([one.stop(), other.stop()])
  }
}

/** A node and a guest of another implementation, over TCP, in both directions. */
async function runForeignGuest(command: string): Promise<Outcome[]> {
  const node = await startPeer('mesh', 'tcp')
  const guest = await startForeignGuest(command, `${node.address}`)
  try {
    await waitForStart(node, guest)
    const outcomes = [
      await sendLarge('node to foreign guest', node, guest),
      // Above 1 MiB the guest's own library may drop the message before it is sent.
      await sendLarge('foreign guest to node', guest, node, largeBytes, 0),
      await sendLarge('foreign guest to node', guest, node, foreignBytes),
    ]
    for (let count = 0; count < cachedCount; count++) await guest.publish(cachedBytes)
    await sleep(arrivalMs)
    const ids = node.cachedIds()
    const answers: readonly [string, () => Promise<void> | void][] = [
      ['foreign guest to node', () => node.sendIwant(guest.id, ids)],
      ['node to foreign guest', () => node.answer(guest.id, ids)],
    ]
    for (const [name, send] of answers) {
      const what = `${name}, ${ids.length} messages in one answer`
      // The guest has received them all before, so gossipsub delivers none again.
      outcomes.push(await measureOutcome(what, node, guest, 0, async () => send()))
    }
    return outcomes
  } finally {
    await guest.stop()
    await node.stop()
  }
}

async function waitForStart(one: Peer, other: Peer): Promise<void> {
  const exchangeMs = await timeUntilExchange(one, other, startMs)
  if (Number.isNaN(exchangeMs)) throw new Error(`${one.kind} and ${other.kind} exchange no messages at the start`)
  await sleep(arrivalMs)
}

function sendLarge(name: string, from: Peer, to: Peer, bytes = largeBytes, sent = 1): Promise<Outcome> {
  const what = `${name}, one message of ${bytes} bytes`
  return measureOutcome(what, from, to, sent, async () => void (await from.publish(bytes)))
}

async function measureOutcome(
  what: string,
  from: Peer,
  to: Peer,
  sent: number,
  send: () => Promise<void>,
): Promise<Outcome> {
  const before = [from, to].map(({ spans }) => spans.length)
  const since = performance.now()
  await send()
  await sleep(arrivalMs)
  const bothWaysMs = await timeUntilExchange(from, to, exchangeLimitMs + arrivalMs)
  // A node emits a successful heal at its next poll.
  await sleep(2 * arrivalMs)
  const spans = [from, to].flatMap((peer, index) => peer.spans.slice(before[index]).map(({ span }) => span))
  const arrived = to.received.filter(({ at, bytes }) => at > since && bytes > 1_000).length
  return { what, arrived, sent, bothWaysMs, gossipSpans: spans.filter((span) => span.startsWith('mesh.gossip.')) }
}
