import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { exitCodes } from '../../commands/command.ts'
import type { Digest } from '../../core/frames.ts'
import type { Random } from '../../core/machine.ts'
import type { Topology } from '../../kit/views.ts'
import { encodeFrame } from '../../kit/wire.ts'
import { nodeEnvironment } from '../../processes/node-program.ts'
import { Subprocess } from '../../processes/subprocess.ts'
import { type Cluster, type NodeProcess, startCluster, until } from '../../testing/cluster/cluster.ts'
import {
  helloOf,
  type MisbehavingPeer,
  misbehavingPeer,
  rawFrame,
  type StreamInput,
} from '../../testing/cluster/misbehaving-peer.ts'
import type { ReceivedSpan } from '../../testing/otlp/otlp-receiver.ts'
import { endToEnd } from '../end-to-end.ts'
import { numberOf, spansNamed } from '../evidence.ts'
import { atMost, type Check, each, equals, type ProofContext, round } from '../proof.ts'
import { type PairLink, pairLinks, promptSpans, topologiesOf, waitForFullMesh } from './mesh.ts'

const meshLimitMs = 30_000
const replyLimitMs = 10_000
const growthMostMb = 32
const random = { connections: 50, frames: 200 }

const hello = 1
/** The one misbehaviour that needs the end of the stream. */
const truncated = 'truncated by the end of the stream'
/** A type of a later version: the node ignores the frame, and counts it. */
const ignoredType = 200

const removalLimitMs = 5_000
const spanLimitMs = 5_000
const censusLimitMs = 35_000
const reasonIn = { 'mesh.frame.refused': 'mesh.frame.reason', 'mesh.link.refused': 'mesh.error.message' } as const

const bin = fileURLToPath(new URL('../../bin.js', import.meta.url))
/** A failing start must end within this. */
const limitMs = 60_000

/** Flags or variables of a node, and texts that the message must contain: the key, the value, the cure. */
type Configuration = readonly [what: string, settings: string[] | NodeJS.ProcessEnv, ...mentions: string[]]

const configurations: readonly Configuration[] = [
  ['an unknown variable', { MESH_STALENES_MS: '1000' }, 'MESH_STALENES_MS', 'MESH_STALENESS_MS'],
  ['an unknown flag', ['--neighbour', '3'], '--neighbour', '--neighbours'],
  ['zero', { MESH_NEIGHBOURS: '0' }, 'MESH_NEIGHBOURS', '0', 'from 1 to 64'],
  ['zero by flag', ['--staleness-ms', '0'], '--staleness-ms', '0', 'from 1000 to 3600000'],
  ['Infinity', { MESH_STALENESS_MS: 'Infinity' }, 'MESH_STALENESS_MS', 'Infinity', 'from 1000'],
  invalidAddress('a bad multiaddr to dial', 'MESH_SEEDS', '/ip4/192.0.2.1/udp/port/quic-v1', '/udp/<port>/quic-v1'),
  invalidAddress('a bad multiaddr to listen at', 'MESH_LISTEN', '/ip4/300.0.0.1/tcp/1', 'multiaddrs of ip4 or ip6'),
]

function invalidAddress(what: string, key: string, address: string, cure: string): Configuration {
  return [what, { [key]: address }, key, address, cure]
}

export const proof = endToEnd({
  name: 'bad-input',
  about:
    'bad configuration: exit 2, names key, value, cure; a misbehaving peer: refused, emitted, counted, harms no other link',
  quick: true,
  seconds: 40,
  async run(context) {
    const { progress } = context
    await using cluster = await startCluster(promptSpans)
    const seeds = [cluster.address('node')]
    const node = await cluster.node('node', { role: 'seed' })
    const friend = await cluster.node('friend', { seeds })
    const nodes = [node, friend, await cluster.node('other', { seeds })]
    const before = await waitForFullMesh(nodes, meshLimitMs)
    const rss = [(await node.usage()).rssMb]
    const peer = misbehavingPeer(cluster.address('node'), replyLimitMs)
    const checks: Check[] = []
    progress('a peer sends malformed frames')
    for (const misbehaviour of misbehaviours(friend.peer))
      checks.push(await misbehaviourCheck(cluster, peer, misbehaviour))
    progress(`${random.connections * random.frames} random frames over ${random.connections} connections`)
    const { check, slowestMs } = await randomFramesCheck(cluster, peer, random, context)
    rss.push((await node.usage()).rssMb)
    checks.push(check, ...(await harmChecks(cluster, nodes, peer, before)))
    progress('invalid configurations, and the next census')
    checks.push(...(await configurationChecks()), await censusCheck(cluster))
    rss.push((await node.usage()).rssMb)
    const growth = Math.max(...rss) - (rss[0] ?? Number.NaN)
    checks.push(atMost('growth of the node', growthMostMb, growth, 'MiB'))
    const figures = {
      'RSS before, after, later, MiB': rss.map(round),
      'slowest end of a connection, ms': round(slowestMs),
    }
    return { figures, checks }
  },
})

/** Malformed frames of a peer, and a part of the reason in the span that the node must emit for them. */
type Misbehaviour = readonly [what: string, chunks: readonly Uint8Array[], reason: string, span?: keyof typeof reasonIn]

/** `member`: peer id of a healthy node, in whose name the peer sends a digest. */
function misbehaviours(member: string): readonly Misbehaviour[] {
  const wrong = { meshes: 'mesh-a', name: 7, role: 'queen', incarnation: 'one', build: [], counter: -1, trace: null }
  const first = helloOf()
  const rawHello = (payload: Uint8Array | string) =>
    rawFrame(hello, typeof payload === 'string' ? new TextEncoder().encode(payload) : payload)
  const flood = Buffer.concat(Array<Uint8Array>(10_000).fill(rawFrame(ignoredType, new Uint8Array(8))))
  return [
    ['oversized', [rawHello(new Uint8Array(20_000))], '20000 bytes is too long'],
    ['oversized by its header alone', [Uint8Array.of(255, 255, hello)], 'too long'],
    [truncated, [first.subarray(0, 50)], 'within a frame'],
    ['truncated JSON', [rawHello(first.subarray(3, 50))], 'not JSON'],
    ['wrong types', [rawHello(JSON.stringify(wrong))], 'hello.'],
    ['an array as hello', [rawHello('[]')], 'hello'],
    ['a frame of unknown type', [rawFrame(99, new Uint8Array(4))], 'type 99'],
    ['another mesh', [helloOf({ meshes: ['mesh-z'] })], 'mesh-z', 'mesh.link.refused'],
    ['a digest without a hello', [digestFor(member)], 'non-member'],
    ['a digest in the name of another node', [first, digestFor(member)], 'another peer'],
    ['10,000 frames of an ignored type at once', [first, flood], 'more frames than allowed'],
  ]
}

/** `count` random frames, with or without a hello: a third with an invalid header, of known types, of ignored types. */
function randomFrames(count: number, random: Random): StreamInput {
  const byte = () => Math.floor(random() * 256)
  const bytes = () => Uint8Array.from({ length: Math.floor(random() * 300) }, byte)
  const kinds = [
    bytes,
    () => rawFrame(1 + Math.floor(random() * 6), bytes()),
    () => rawFrame(128 + byte() / 2, bytes()),
  ]
  const frame = () => kinds[Math.floor(random() * kinds.length)]?.() ?? bytes()
  const optionalHello = random() < 0.5 ? [helloOf()] : []
  return { chunks: [...optionalHello, ...Array.from({ length: count }, frame)], ends: true }
}

/** Newer than the member's own digests: a node that accepts it replaces the member. */
function digestFor(peer: string): Uint8Array {
  const digest: Digest = {
    peer,
    name: 'impostor',
    role: 'compute',
    meshes: ['mesh-a'],
    incarnation: 2 ** 40,
    sequence: 1,
    intervalMs: 2_000,
    addresses: [],
    topics: [],
    links: [],
    sentAt: Date.now(),
  }
  return encodeFrame({ type: 'digest', digest })
}

/** One misbehaviour: the node emits a span with the reason and ends the connection. */
async function misbehaviourCheck(
  { receiver }: Cluster,
  misbehaving: MisbehavingPeer,
  [what, chunks, reason, span = 'mesh.frame.refused']: Misbehaviour,
): Promise<Check> {
  const before = spansNamed(receiver.spans, span).length
  const spanOfPeer = ({ attributes }: ReceivedSpan) => attributes['mesh.peer.id'] === misbehaving.peers.at(-1)
  const refusal = () => spansNamed(receiver.spans, span).slice(before).find(spanOfPeer)
  const end = await misbehaving.send({ chunks, ends: what === truncated }).then(
    ({ endedAfterMs, frames }) => {
      const goodbye = frames.find((frame) => frame.type === 'goodbye')
      return `ended after ${Math.round(endedAfterMs)} ms, goodbye: ${goodbye?.reason ?? 'none'}`
    },
    (error: Error) => error.message,
  )
  await until(() => refusal() !== undefined, spanLimitMs, `${what} is emitted`).catch(() => {})
  const reasonText = String(refusal()?.attributes[reasonIn[span]])
  const expected = span === 'mesh.link.refused' ? 'goodbye: foreign-mesh' : 'ended after'
  return {
    what: `peer: ${what}`,
    want: `${span} "… ${reason} …", ${expected}`,
    got: `"${reasonText}", ${end}`,
    holds: reasonText.includes(reason) && end.startsWith('ended after') && end.includes(expected),
  }
}

/**
 * Random frames over several connections, one after the other, each from another identity: the node refuses each once,
 * and emits one span.
 */
async function randomFramesCheck(
  { receiver }: Cluster,
  misbehaving: MisbehavingPeer,
  { connections, frames }: { readonly connections: number; readonly frames: number },
  { random, signal }: ProofContext,
): Promise<{ readonly check: Check; readonly slowestMs: number }> {
  const before = spansNamed(receiver.spans, 'mesh.frame.refused').length
  let slowestMs = 0
  for (let i = 0; i < connections; i++) {
    signal.throwIfAborted()
    const { endedAfterMs } = await misbehaving.send(randomFrames(frames, random))
    slowestMs = Math.max(slowestMs, endedAfterMs)
  }
  const refusal = () => spansNamed(receiver.spans, 'mesh.frame.refused').length - before
  await until(() => refusal() >= connections, spanLimitMs, 'all refusals are emitted').catch(() => {})
  const what = `refusals emitted for ${connections * frames} random frames, one for each connection`
  return { check: equals(what, connections, refusal()), slowestMs }
}

/** The healthy links are unchanged, no node accepts an impostor, and no connection of the misbehaving peer is left. */
async function harmChecks(
  { receiver }: Cluster,
  nodes: readonly NodeProcess[],
  misbehaving: MisbehavingPeer,
  before: readonly PairLink[],
): Promise<Check[]> {
  let topologies: readonly Topology[] = []
  const spanOfPeer = () =>
    topologies.flatMap(({ peers }) => peers).filter(({ peer }) => misbehaving.peers.includes(peer)).length
  const isRemoved = async () => {
    topologies = await topologiesOf(nodes)
    return spanOfPeer() === 0
  }
  await until(isRemoved, removalLimitMs, 'no connection of the misbehaving peer is left').catch(() => {})
  const healthy = nodes.map(({ peer }) => peer)
  const closed = spansNamed(receiver.spans, 'mesh.connection.closed').filter(({ attributes }) =>
    healthy.includes(String(attributes['mesh.peer.id'])),
  )
  const names = topologies.flatMap(({ members }) => members.map(({ name }) => name))
  return [
    equals('links between the healthy nodes, before and after', ids(before), ids(pairLinks(topologies))),
    equals('connections between them that were reported as closed', 0, closed.length),
    equals('connections left of the misbehaving peer', 0, spanOfPeer()),
    each('members as the nodes list them', 'by their own names', names, (name) =>
      nodes.some((node) => node.name === name),
    ),
  ]
}

/** The census of the node counts the emitted refusals. */
async function censusCheck({ receiver }: Cluster): Promise<Check> {
  const refused = spansNamed(receiver.spans, 'mesh.frame.refused').length
  const counted = () =>
    Math.max(0, ...spansNamed(receiver.spans, 'mesh.audit').map((span) => numberOf(span, 'mesh.audit.frames_refused')))
  await until(() => counted() >= refused, censusLimitMs, 'the census counts them').catch(() => {})
  return equals('refused frames by the census, against those emitted', refused, counted())
}

function ids(links: readonly PairLink[] | string): string {
  if (typeof links === 'string') return links
  return links
    .map(({ id }) => id)
    .sort()
    .join(' ')
}

/** Starts a node with each invalid configuration. */
async function configurationChecks(): Promise<Check[]> {
  const udp = createSocket('udp4')
  const tcp = createServer()
  try {
    await new Promise<void>((resolve) => udp.bind(0, '127.0.0.1', resolve))
    await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve))
    const { port } = tcp.address() as { port: number }
    const takenAddresses = [`/ip4/127.0.0.1/udp/${udp.address().port}/quic-v1`, `/ip4/127.0.0.1/tcp/${port}`]
    const admin = `127.0.0.1:${port}`
    const cure = 'choose another port'
    const taken: readonly Configuration[] = [
      ...takenAddresses.map((address) =>
        invalidAddress(`a port in use (${address.includes('udp') ? 'UDP' : 'TCP'})`, 'MESH_LISTEN', address, cure),
      ),
      ['a port in use (HTTP API)', { MESH_ADMIN: admin }, 'MESH_ADMIN (--admin)', admin, cure],
    ]
    const checks: Check[] = []
    for (const one of [...configurations, ...taken]) checks.push(await configurationCheck(one))
    return checks
  } finally {
    udp.close()
    tcp.close()
  }
}

async function configurationCheck([what, settings, ...mentions]: Configuration): Promise<Check> {
  const [args, env] = Array.isArray(settings) ? [settings, {}] : [[], settings]
  const quiet = { MESH_OTLP: 'off', MESH_ADMIN: 'off', MESH_LISTEN: '/ip4/127.0.0.1/udp/0/quic-v1' }
  const command = [process.execPath, bin, 'node', ...args]
  const own = { ...nodeEnvironment(), ...quiet, ...env }
  // Without its log, which is its standard output.
  const node = new Subprocess({ name: what, command, env: own, onLine: () => {} })
  const { code, output } = await node.exitWithin(limitMs)
  const missing = mentions.filter((text) => !output.includes(text))
  return {
    what: `configuration: ${what}`,
    want: `exit ${exitCodes.usage}, names ${mentions.join(' and ')}`,
    got: `exit ${code}: ${output.trim().split('\n')[0]}`,
    holds: code === exitCodes.usage && missing.length === 0,
  }
}
