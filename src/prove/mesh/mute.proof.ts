import { loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Transport } from '../../testing/real-world.ts'
import { atMost, type Check, type Proof } from '../proof.ts'
import { cachedBytes, type Kind, type Peer, startForeignGuest, startPeer, timeUntilExchange } from './mute-pairs.ts'

/** Command line of a guest of another implementation, as for `foreign-guest`. */
const variable = 'TRACEMESH_GUEST_PEER'
const largeBytes = 1_100_000
/** Most that go sends in one message, less its envelope. */
const foreignBytes = 1_000_000
const cachedCount = 20
const backMs = 15_000
/** Until streams and meshes of gossipsub are there. */
const startMs = 20_000
/** For what was sent to arrive. */
const arrivalMs = 1_500

/** An application closes no connection that it dialled itself, as here: its gossip is mended by heals or not at all. */
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
  /** Spans about gossip that the two told meanwhile. */
  readonly gossipSpans: readonly string[]
}

export const proof: Proof = {
  name: 'mute',
  about:
    'RPCs of 1.1 and 1.2 MB between any two of node, application and guest: gossip goes both ways within 15 s, and what did not arrive is told',
  quick: false,
  seconds: 330,
  async run({ progress }) {
    const outcomes: Outcome[] = []
    for (const transport of ['tcp', 'quic'] as const) {
      for (const [one, other] of pairs) {
        outcomes.push(...(await runPair(one, other, transport)))
        progress(`${transport}, ${one} and ${other}: ${outcomes.slice(-4).map(inWords).join('; ')}`)
      }
    }
    const command = process.env[variable]?.trim() ?? ''
    if (command !== '') outcomes.push(...(await runForeignGuest(command)))
    const unshown = { what: 'a guest of another implementation', want: 'one', got: `${variable} is not set` }
    const without: Check[] = command === '' ? [{ ...unshown, holds: 'not shown' }] : []
    return { figures: { outcomes, load: loadavg() }, checks: [...outcomes.flatMap(checksOf), ...without] }
  },
}

function inWords({ bothWaysMs, arrived, sent }: Outcome): string {
  return `${arrived} of ${sent} arrived, both ways after ${bothWaysMs} ms`
}

function checksOf({ what, arrived, sent, bothWaysMs, gossipSpans: told }: Outcome): Check[] {
  const missing = arrived < sent
  return [
    atMost(`${what}: gossip both ways again`, backMs, bothWaysMs, 'ms'),
    {
      what: `${what}: what did not arrive is told`,
      want: 'a span',
      got: missing ? told.join(' ') || 'none' : 'all arrived',
      holds: !missing || told.length > 0,
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
          to.ask(from.id, await from.cache(cachedCount))
        }),
      )
    }
    return outcomes
  } finally {
    await Promise.all([one.stop(), other.stop()])
  }
}

/** With a node, over TCP: what a guest of another implementation sends and takes. */
async function runForeignGuest(command: string): Promise<Outcome[]> {
  const node = await startPeer('mesh', 'tcp')
  const guest = await startForeignGuest(command, `${node.address}`)
  try {
    await waitForStart(node, guest)
    const outcomes = [
      await sendLarge('node to foreign guest', node, guest),
      // Above 1 MiB its own library may drop it, and then nothing has left that anybody here could miss.
      await sendLarge('foreign guest to node', guest, node, largeBytes, 0),
      await sendLarge('foreign guest to node', guest, node, foreignBytes),
    ]
    for (let count = 0; count < cachedCount; count++) await guest.publish(cachedBytes)
    await sleep(arrivalMs)
    const ids = node.cached()
    const answers: readonly [string, () => Promise<void> | void][] = [
      ['foreign guest to node', () => node.ask(guest.id, ids)],
      ['node to foreign guest', () => node.answer(guest.id, ids)],
    ]
    for (const [name, ask] of answers) {
      const what = `${name}, ${ids.length} messages in one answer`
      // They have all been heard before, so that nobody is handed them again.
      outcomes.push(await measureOutcome(what, node, guest, 0, async () => ask()))
    }
    return outcomes
  } finally {
    await guest.stop()
    await node.stop()
  }
}

async function waitForStart(one: Peer, other: Peer): Promise<void> {
  const heardMs = await timeUntilExchange(one, other, startMs)
  if (Number.isNaN(heardMs)) throw new Error(`${one.kind} and ${other.kind} do not hear each other to begin with`)
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
  const bothWaysMs = await timeUntilExchange(from, to, backMs + arrivalMs)
  // A heal that has worked is told at the next look.
  await sleep(2 * arrivalMs)
  const told = [from, to].flatMap((peer, index) => peer.spans.slice(before[index]).map(({ span }) => span))
  const arrived = to.heard.filter(({ at, bytes }) => at > since && bytes > 1_000).length
  return { what, arrived, sent, bothWaysMs, gossipSpans: told.filter((span) => span.startsWith('mesh.gossip.')) }
}
