import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../processes/waiting.ts'
import { type Receiver, startReceiver } from '../../testing/otlp/otlp-receiver.ts'
import { endToEnd } from '../end-to-end.ts'
import { numberOf, spansNamed } from '../evidence.ts'
import { atLeast, atMost, equals, type ProofResult, round } from '../proof.ts'
import { startProgram, type TestProgram } from '../test-program.ts'

const passing = 300
const staying = 5
const warmUp = 20
/** Of ours; without an interval for tests it would be two minutes. The grace period is half of it. */
const sweepMs = 1_000
/** libp2p holds a closed connection for about ten seconds by its timeouts. */
const restMs = 12_000
const limits = { start: 30_000, pass: 120_000, sweep: 20_000 }

interface Counts {
  readonly records: number
  readonly bytes: number
  readonly heldBytes: number
  readonly bufferBytes: number
}

export const proof = endToEnd({
  name: 'peerstore',
  about: `of ${passing} peers that come and go, each with an identity of its own, a node keeps no record; the ${staying} connected ones keep theirs, outside the slabs of 64 KiB. js-libp2p with the same options keeps all`,
  quick: true,
  seconds: 45,
  async run({ progress }) {
    const receiver = await startReceiver()
    try {
      return await run(receiver, progress)
    } finally {
      await receiver.close()
    }
  },
})

async function run(receiver: Receiver, progress: (text: string) => void): Promise<ProofResult> {
  const areGone = async (hub: TestProgram) => {
    const isSwept = async () => (await count(hub)).records === staying
    await until(isSwept, limits.sweep, 'the records of those that left are gone')
    // A further sweep copies what the last connections wrote.
    const before = sweepsOf(receiver).length
    await until(() => sweepsOf(receiver).length >= before + 2, limits.sweep, 'two more sweeps')
  }
  // At the same time: most of it is rest.
  const [ours, stock] = await Promise.all([
    play(String(sweepMs), receiver.endpoint, areGone),
    play('0', 'off', async () => {}),
  ])
  progress(`ours: ${JSON.stringify(ours)}`)
  progress(`stock: ${JSON.stringify(stock)}`)
  const sweeps = sweepsOf(receiver)
  const sum = (attribute: string) => sweeps.reduce((total, span) => total + numberOf(span, attribute), 0)
  const perPeer = ({ before, after }: Outcome) => round((after.bufferBytes - before.bufferBytes) / passing)
  const figures = {
    ours: { ...ours.after, growthPerPeer: perPeer(ours) },
    stock: { ...stock.after, growthPerPeer: perPeer(stock), held: round(stock.after.heldBytes / stock.after.bytes) },
    sweeps: sweeps.length,
  }
  const checks = [
    equals('records of ours in the end', staying, ours.after.records),
    atLeast('records of stock js-libp2p in the end', passing, stock.after.records),
    equals('bytes of buffers behind the records of ours', ours.after.bytes, ours.after.heldBytes),
    atLeast('removed records in the spans', passing, sum('mesh.peerstore.removed')),
    equals('errors in the spans', 0, sum('mesh.peerstore.errors')),
    atMost('growth of buffers per peer, over that of stock js-libp2p', 0.2, perPeer(ours) / perPeer(stock)),
  ]
  return { figures, checks }
}

const sweepsOf = ({ spans }: Receiver) => spansNamed(spans, 'mesh.peerstore.swept')

interface Outcome {
  readonly before: Counts
  readonly after: Counts
}

/** Starts a hub, lets peers pass beside those that stay, waits for `settled` and the rest, and counts. */
async function play(sweep: string, otlp: string, settled: (hub: TestProgram) => Promise<void>): Promise<Outcome> {
  await using hub = startProgram('cluster/peer-store-hub.ts', [sweep, otlp])
  const address = String((await hub.nextEvent('ready', limits.start))['address'])
  // Some pass first: they load the code that all need.
  await using stayers = startProgram('cluster/passing-peers.ts', [address, String(warmUp), String(staying)])
  await stayers.nextEvent('passed', limits.pass)
  await sleep(restMs)
  const before = await count(hub)
  await using passers = startProgram('cluster/passing-peers.ts', [address, String(passing), '0'])
  await passers.nextEvent('passed', limits.pass)
  await Promise.all([settled(hub), sleep(restMs)])
  return { before, after: await count(hub) }
}

async function count(hub: TestProgram): Promise<Counts> {
  hub.write('count')
  const { records, bytes, heldBytes, bufferBytes } = await hub.nextEvent('count', 10_000)
  return {
    records: Number(records),
    bytes: Number(bytes),
    heldBytes: Number(heldBytes),
    bufferBytes: Number(bufferBytes),
  }
}
