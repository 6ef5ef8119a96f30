import { setTimeout as sleep } from 'node:timers/promises'
import { freeTcpPorts, freeUdpPorts } from '../../processes/free-ports.ts'
import { type Cluster, startCluster } from '../../testing/cluster/cluster.ts'
import type { Language } from '../../testing/interop/build.ts'
import { type Guest, jsGuest, randomSeed } from '../../testing/interop/guest.ts'
import type { Transport } from '../../testing/suite/real-world.ts'
import { spansNamed, timeUntil } from '../evidence.ts'
import { atMost, type Check, equals, type ProofContext, type ProofResult, unrun } from '../proof.ts'
import { builtGuest } from './built-guest.ts'
import { compareIds, type Exchange, exchange, worstScore } from './exchange.ts'
import { type InteropPeer, startNamedGuest, startNode } from './interop-peer.ts'

/** Limits in milliseconds: of messages both ways at first, after a large message, after a restart; of a span. */
const limits = { talk: 15_000, large: 5_000, healed: 15_000, span: 10_000 }
/** From the kill to the start of the next process. */
const awayMs = 1_000
/** Interval of the dials of a guest that lost its node. */
const redialMs = 1_000
/** Gossipsub scores a broken promise after 3 s. */
const scoresMs = 5_000
/** Larger than one RPC may be for the implementation. */
const largeBytes: Readonly<Record<Language, number>> = { go: 1_100_000, rust: 70_000 }

export const aboutPairs =
  'over QUIC and TCP signed gossip both ways, equal message ids, score 0, no one muted by a message that is too large, and gossip within 15 s after either is killed and restarts'

interface Row {
  readonly transport: Transport
  readonly situation: string
  readonly ms: number
  readonly missing: string
  /** Of a failure: spans of its last 20 s about seeds, connections and gossip, and their age. */
  readonly spans?: readonly string[]
}

/** `each`: the node at first, and each of them after the restart. */
type Dialler = 'node' | 'guest' | 'each'

/** A node and a guest, of which the dialler dials the other whenever it starts. */
interface Pair {
  readonly cluster: Cluster
  readonly language: Language
  readonly transport: Transport
  readonly command: readonly string[]
  readonly seed: string
  readonly nodeAddress: string
  readonly guestAddress: string
}

/** Runs the table of situations of one node and one guest of this implementation. */
export async function runPairs(language: Language, context: ProofContext): Promise<ProofResult> {
  const built = await builtGuest(language, context)
  if ('missing' in built) return unrun(context, `a ${language} guest`, 'one', built.missing)
  const rows: Row[] = []
  const checks: Check[] = []
  for (const transport of ['quic', 'tcp'] as const) {
    await using cluster = await startCluster()
    const pair = await makePair(cluster, language, transport, [built.path], randomSeed(context.random))
    const note = (situation: string, { ms, missing }: Exchange, limitMs: number) => {
      const spans = missing.length === 0 ? {} : { spans: recentSpans(cluster) }
      rows.push({ transport, situation, ms, missing: missing.join(', '), ...spans })
      checks.push(atMost(`${transport}, ${situation}: messages both ways`, limitMs, ms, 'ms'))
      context.progress(`${transport}, ${situation}: ${missing.length === 0 ? `${ms} ms` : `missing ${missing}`}`)
    }
    checks.push(...(await talk(pair, note)))
    for (const dialler of ['guest', 'node', 'each'] as const)
      for (const victim of ['guest', 'node'] as const) await restart(pair, dialler, victim, note)
  }
  return { figures: { rows }, checks }
}

function recentSpans({ receiver }: Cluster): string[] {
  const now = Date.now()
  return receiver.spans
    .filter(({ name, startMs }) => /^mesh\.(?:seed|connection|gossip)\./.test(name) && now - startMs < 20_000)
    .map(
      ({ name, startMs, attributes }) => `${Math.round(startMs - now)} ${name} ${attributes['mesh.gossip.lack'] ?? ''}`,
    )
}

type Note = (situation: string, result: Exchange, limitMs: number) => void

async function makePair(
  cluster: Cluster,
  language: Language,
  transport: Transport,
  command: readonly string[],
  seed: string,
): Promise<Pair> {
  const ports = transport === 'tcp' ? await freeTcpPorts([0, 0]) : await freeUdpPorts(2)
  const end = transport === 'tcp' ? (port?: number) => `tcp/${port}` : (port?: number) => `udp/${port}/quic-v1`
  const [nodeAddress, guestAddress] = ports.map((port) => `/ip4/127.0.0.1/${end(port)}`)
  if (nodeAddress === undefined || guestAddress === undefined) throw new Error('no ports')
  return { cluster, language, transport, command, seed, nodeAddress, guestAddress }
}

/** Messages, ids and scores, and then messages that are too large for the guest's implementation. */
async function talk(pair: Pair, note: Note): Promise<Check[]> {
  const { cluster, language, transport, nodeAddress } = pair
  const node = await startPairNode(pair, [])
  await using guest = await startPairGuest(pair)
  const address = `${nodeAddress}/p2p/${node.peer}`
  await using js = await startNamedGuest('js', jsGuest(), { dial: [address] })
  guest.dial(address)
  const peers = [node, guest, js]
  note('talk', await exchange(peers, limits.talk), limits.talk)
  await sleep(scoresMs)
  const score = await worstScore(peers)
  for (const from of peers) {
    const bytes = largeBytes[language]
    from.publishBytes(bytes)
    note(`after ${bytes} bytes from ${from.name}`, await exchange(peers, limits.large), limits.large)
  }
  const { shared, different } = compareIds(peers)
  await timeUntil(limits.span, () => spansNamed(cluster.receiver.spans, 'mesh.gossip.unsent').length > 0)
  await node.kill()
  const { spans } = cluster.receiver
  const unsent = spansNamed(spans, 'mesh.gossip.unsent').map(({ attributes }) => attributes['mesh.peer.id'])
  return [
    equals(`${transport}: peers to which the node withheld a large message`, guest.peer, [...new Set(unsent)].join()),
    equals(`${transport}: heals of gossip after large messages`, 0, spansNamed(spans, 'mesh.gossip.healed').length),
    equals(`${transport}: messages with different ids, of ${shared}`, '', different.slice(0, 3).join('; ')),
    equals(`${transport}: worst score`, 0, score),
  ]
}

/** One of the two ends by SIGKILL and starts again with its key and address. */
async function restart(pair: Pair, dialler: Dialler, victim: 'node' | 'guest', note: Note): Promise<void> {
  const situation = `${dialler} dials, ${victim} killed`
  const seeds = dialler === 'guest' ? [] : [pair.guestAddress]
  let guest = await startPairGuest(pair)
  let node = await startPairNode(pair, seeds)
  let guestDials = dialler === 'guest'
  const dial = () => {
    if (guestDials) guest.dial(`${pair.nodeAddress}/p2p/${node.peer}`)
  }
  try {
    note(`${situation}, before`, await exchange([node, guest], limits.talk, every(redialMs, dial)), limits.talk)
    guestDials = dialler !== 'node'
    const killedAt = performance.now()
    if (victim === 'node') {
      await node.kill()
      await sleep(awayMs)
      node = await startPairNode(pair, seeds)
    } else {
      await guest.kill()
      await sleep(awayMs)
      guest = await startPairGuest(pair)
    }
    const awayFor = Math.round(performance.now() - killedAt)
    const healed = await exchange([node, guest], limits.healed, every(redialMs, dial))
    note(`${situation}, back after ${awayFor} ms`, healed, limits.healed)
  } finally {
    await guest.leave()
    await node.kill()
  }
}

function startPairNode({ cluster, nodeAddress }: Pair, seeds: readonly string[]): Promise<InteropPeer> {
  return startNode(cluster, 'node', { listen: [nodeAddress], seeds })
}

function startPairGuest({ language, command, seed, guestAddress }: Pair): Promise<InteropPeer & Guest> {
  return startNamedGuest(language, command, { seed, listen: [guestAddress] })
}

/** Calls `act` at most once in `ms`. */
function every(ms: number, act: () => void): () => void {
  let last = -Infinity
  return () => {
    const now = performance.now()
    if (now - last < ms) return
    last = now
    act()
  }
}
