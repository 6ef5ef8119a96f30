import { type NodeProcess, startCluster, until } from '../../testing/cluster/cluster.ts'
import { type Language, languages } from '../../testing/interop/build.ts'
import { startDhtPeer } from '../../testing/suite/dht-peer.ts'
import type { Transport } from '../../testing/suite/real-world.ts'
import { endToEnd } from '../end-to-end.ts'
import { spansNamed } from '../evidence.ts'
import { topologyOf } from '../mesh/mesh.ts'
import { atMost, type Check, equals, type ProofContext, type ProofResult } from '../proof.ts'
import { testProgram } from '../shell.ts'
import { type Programs, withGuests } from './built-guest.ts'
import { addressOf, startDhtGuest, startSeed, timeUntilFound } from './dht-guests.ts'

/** Limits in milliseconds: until a peer is found, the connections of two are closed, and there were two sweeps. */
const limits = { found: 20_000, closed: 60_000, swept: 40_000 }
/** Between two sweeps of the seed. A record stays for half of it after its peer disconnected. */
const sweepMs = 6_000

export const proof = endToEnd({
  name: 'interop-dht-sweeps',
  about:
    'after two sweeps of a seed’s peer store, peers of go-libp2p and rust-libp2p find a live peer there that had disconnected, and the seed no longer names a dead one',
  quick: false,
  seconds: 190,
  run: (context) => withGuests(context, play),
})

async function play(programs: Programs, { progress }: ProofContext): Promise<ProofResult> {
  const rows: object[] = []
  const checks: Check[] = []
  for (const transport of ['quic', 'tcp'] as const) {
    for (const live of languages) {
      const dead = live === 'go' ? 'rust' : 'go'
      const row = await findAfterSweeps(programs, transport, live, dead)
      rows.push(row)
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
  return { figures: { rows }, checks }
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
