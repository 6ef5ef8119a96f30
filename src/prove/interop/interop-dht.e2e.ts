import { type NodeProcess, startCluster } from '../../testing/cluster/cluster.ts'
import { type Language, languages } from '../../testing/interop/build.ts'
import type { Transport } from '../../testing/suite/real-world.ts'
import { endToEnd } from '../end-to-end.ts'
import { timeUntil } from '../evidence.ts'
import { atMost, type Check, equals, type ProofContext, type ProofResult } from '../proof.ts'
import { type Programs, withGuests } from './built-guest.ts'
import { addressWithPeer, startDhtGuest, startSeed, timeUntilFound } from './dht-guests.ts'

/** Limits in milliseconds. A seed pings a peer before its DHT names it. */
const limits = { found: 20_000, dialled: 10_000, absent: 3_000 }

export const proof = endToEnd({
  name: 'interop-dht',
  about:
    'through the DHT of a seed, peers of go-libp2p and rust-libp2p find each other over QUIC and TCP: one that connects to the seed finds another one there, and dials it',
  quick: false,
  seconds: 120,
  run: (context) => withGuests(context, play),
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
  return { figures: { rows }, checks }
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
