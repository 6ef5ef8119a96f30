import { freeTcpPorts } from '../../processes/free-ports.ts'
import { type Cluster, type NodeOptions, type NodeProcess, startCluster, until } from '../../testing/cluster/cluster.ts'
import { type Language, languages } from '../../testing/interop/build.ts'
import { type Guest, startGuest } from '../../testing/interop/guest.ts'
import { startDhtPeer } from '../../testing/suite/dht-peer.ts'
import { listenOn, type Transport } from '../../testing/suite/real-world.ts'
import { endToEnd } from '../end-to-end.ts'
import { spansNamed, timeUntil } from '../evidence.ts'
import { topologyOf } from '../mesh/mesh.ts'
import { atMost, type Check, equals, type ProofContext, type ProofResult, unrun } from '../proof.ts'
import { testProgram } from '../shell.ts'
import { builtGuest } from './built-guest.ts'

/** Limits in milliseconds. A seed pings a peer before its DHT names it. */
const limits = { found: 20_000, dialled: 10_000, absent: 3_000, closed: 60_000, swept: 40_000 }
/** Between two sweeps of the seed. A record stays for half of it after its peer disconnected. */
const sweepMs = 6_000

type Programs = Readonly<Record<Language, string>>

export const proof = endToEnd({
  name: 'interop-dht',
  about:
    'through the DHT of a seed, peers of go-libp2p and rust-libp2p find each other over QUIC and TCP; after two sweeps of its peer store a live one that had disconnected is still found, and a dead one is not',
  quick: false,
  seconds: 240,
  async run(context) {
    const go = await builtGuest('go', context)
    const rust = await builtGuest('rust', context)
    if ('missing' in go) return unrun(context, 'a go guest', 'one', go.missing)
    if ('missing' in rust) return unrun(context, 'a rust guest', 'one', rust.missing)
    return play({ go: go.path, rust: rust.path }, context)
  },
})

async function play(programs: Programs, { progress }: ProofContext): Promise<ProofResult> {
  const rows: object[] = []
  const checks: Check[] = []
  for (const transport of ['quic', 'tcp'] as const) {
    for (const target of languages) {
      for (const finder of languages) {
        // A new one each time: dead peers in its table would cost the finder their dials.
        await using cluster = await startCluster()
        const row = await findThird(programs, await startSeed(cluster), transport, finder, target)
        rows.push(row)
        const { foundMs, dialledMs } = row
        const what = `${transport}, ${finder} finds ${target}`
        progress(`${what}: ${foundMs} ms, dialled ${dialledMs} ms`)
        checks.push(
          atMost(what, limits.found, foundMs, 'ms'),
          atMost(`${what}, and dials it`, limits.dialled, dialledMs, 'ms'),
        )
      }
    }
  }
  await using cluster = await startCluster({ env: { MESH_DHT_PROTOCOL: 'off' } })
  const control = await findThird(programs, await startSeed(cluster), 'quic', 'go', 'go', limits.absent)
  checks.push(equals('a peer found without the DHT of the seed', '', control.addresses.join(' ')))
  const swept: object[] = []
  for (const transport of ['quic', 'tcp'] as const) {
    for (const live of languages) {
      const dead = live === 'go' ? 'rust' : 'go'
      const row = await findAfterSweeps(programs, transport, live, dead)
      swept.push(row)
      const what = `${transport}, after two sweeps`
      progress(`${what}: ${JSON.stringify(row)}`)
      for (const finder of languages) {
        checks.push(
          atMost(`${what}, ${finder} finds a live ${live} peer`, limits.found, row.found[finder].liveMs, 'ms'),
          equals(`${what}, ${finder} finds a dead ${dead} peer`, '', row.found[finder].dead),
        )
      }
      const { namedBefore = '', namedAfter = 'no answer' } = row
      checks.push(
        equals(`${transport}, before the sweeps the seed names a dead ${dead} peer`, true, namedBefore !== ''),
        equals(`${what} the seed names a dead ${dead} peer`, '', namedAfter),
      )
    }
  }
  return { figures: { rows, swept }, checks }
}

/** A seed on QUIC and TCP. */
async function startSeed(cluster: Cluster, options: NodeOptions = {}): Promise<NodeProcess> {
  const [port] = await freeTcpPorts([0])
  const listen = [cluster.address('seed'), `/ip4/127.0.0.1/tcp/${port}`]
  return cluster.node('seed', { role: 'seed', listen, ...options })
}

/** One peer is killed, another one disconnects from the seed; then new peers look for both. */
async function findAfterSweeps(programs: Programs, transport: Transport, live: Language, dead: Language) {
  await using cluster = await startCluster()
  const entry = testProgram('interop/mesh-node.ts')
  const seed = await startSeed(cluster, { entry, env: { INTEROP_SWEEP_MS: String(sweepMs) } })
  // A client stays in no table. A seed without any connection would not judge who is dead.
  await using first = await startDhtGuest(programs.go, seed, transport, 'client')
  await using killed = await startDhtGuest(programs[dead], seed, transport)
  await until(async () => (await first.find(killed.peer)) !== undefined, limits.found, 'it is in the table of the seed')
  await killed.kill()
  const namedBefore = await askSeed(seed, killed.peer)
  // It joins only now, so that it does not know the other one.
  await using leaver = await startDhtGuest(programs[live], seed, transport)
  await until(async () => (await first.find(leaver.peer)) !== undefined, limits.found, 'it is in the table of the seed')
  // Queries of its own DHT that still run connect it again.
  const isGone = async () => {
    const peers = (await topologyOf(seed)).peers.map(({ peer }) => peer)
    if (peers.includes(leaver.peer)) leaver.disconnect(seed.peer)
    return !peers.includes(killed.peer) && !peers.includes(leaver.peer)
  }
  await untilFor(isGone, sweepMs, limits.closed, 'the seed has no connection to either')
  const since = Date.now()
  const sweeps = () =>
    spansNamed(cluster.receiver.spans, 'mesh.peerstore.swept').filter(({ startMs }) => startMs > since).length
  await until(() => sweeps() >= 2, limits.swept, 'two sweeps')
  const lookUp = async (language: Language) => {
    await using finder = await startDhtGuest(programs[language], seed, transport, 'client')
    const liveMs = await timeUntilFound(finder, leaver.peer, limits.found)
    return { liveMs, dead: ((await finder.find(killed.peer)) ?? []).join(' ') }
  }
  return {
    transport,
    live,
    dead,
    namedBefore,
    found: { go: await lookUp('go'), rust: await lookUp('rust') },
    namedAfter: await askSeed(seed, killed.peer),
  }
}

/** Addresses that the seed itself names for a peer: go and rust report no peer that does not answer them. */
async function askSeed(seed: NodeProcess, peer: string): Promise<string | undefined> {
  await using judge = await startDhtPeer({ clientMode: true })
  await judge.dial(addressOf(seed, 'tcp'))
  return (await judge.askServer(seed.peer, peer))?.join(' ')
}

async function findThird(
  programs: Programs,
  seed: NodeProcess,
  transport: Transport,
  finderLanguage: Language,
  targetLanguage: Language,
  limitMs = limits.found,
) {
  await using target = await startDhtGuest(programs[targetLanguage], seed, transport)
  await using finder = await startDhtGuest(programs[finderLanguage], seed, transport)
  let addresses: readonly string[] = []
  const foundMs = await timeUntilFound(finder, target.peer, limitMs, (found) => {
    addresses = found
  })
  for (const address of addresses) finder.dial(addressWithPeer(address, target.peer))
  const dialledMs = await timeUntil(limits.dialled, () => finder.isConnected(target.peer))
  return { transport, finder: finderLanguage, target: targetLanguage, foundMs, dialledMs, addresses }
}

/** Polls until `holds` has been true for so long. */
async function untilFor(holds: () => Promise<boolean>, ms: number, limitMs: number, what: string): Promise<void> {
  let since: number | undefined
  const hasHeld = async () => {
    if (!(await holds())) since = undefined
    else since ??= performance.now()
    return since !== undefined && performance.now() - since >= ms
  }
  await until(hasHeld, limitMs, what)
}

/** Looks for a peer until it has an address; returns the milliseconds, NaN after the limit. */
function timeUntilFound(
  finder: Guest,
  peer: string,
  limitMs: number,
  onFound: (addresses: readonly string[]) => void = () => {},
): Promise<number> {
  return timeUntil(limitMs, async () => {
    const addresses = (await finder.find(peer)) ?? []
    onFound(addresses)
    return addresses.length > 0
  })
}

/** A guest with the DHT, connected to the seed only. */
async function startDhtGuest(
  program: string,
  seed: NodeProcess,
  transport: Transport,
  dht: 'client' | 'server' = 'server',
): Promise<Guest> {
  return startGuest([program], { dht, listen: [listenOn[transport]], dial: [addressOf(seed, transport)] })
}

function addressOf({ addresses, peer }: NodeProcess, transport: Transport): string {
  const address = addresses.find((one) => one.includes(transport === 'quic' ? '/quic-v1' : '/tcp/')) ?? ''
  return addressWithPeer(address, peer)
}

function addressWithPeer(address: string, peer: string): string {
  return address.includes('/p2p/') ? address : `${address}/p2p/${peer}`
}
