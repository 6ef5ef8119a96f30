import { setTimeout as sleep } from 'node:timers/promises'
import { nodeCommand, nodeEnvironment } from '../../processes/node-program.ts'
import { Subprocess } from '../../processes/subprocess.ts'
import { until } from '../../processes/waiting.ts'
import type { Host } from '../../testing/netns/host.ts'
import { networkImpossible, startNetwork } from '../../testing/netns/network.ts'
import { endToEnd } from '../end-to-end.ts'
import { atMost, type Check, equals, notShown, round } from '../proof.ts'
import { testProgram } from '../shell.ts'

const joinerCount = 300
const processCount = 4
const topic = 'news'
const joinLimitMs = 10_000
const loopLimitMs = 100
/** Until a run counts as failed. */
const runLimitMs = 70_000

type Kind = 'ours' | 'stock'
type Outcome = Awaited<ReturnType<typeof runStorm>>

export const proof = endToEnd({
  name: 'join-300',
  about: `${joinerCount} peers with addresses of their own join one seed with its default limits at once: each is linked and listed within 10 s, and the seed's event loop stays responsive`,
  quick: false,
  seconds: 110,
  async run({ progress }) {
    const reason = networkImpossible()
    if (reason !== undefined)
      return { figures: {}, checks: [notShown('peers on addresses of their own', 'possible', reason)] }
    await using network = await startNetwork()
    const host = await network.host('storm')
    await addLoopbackNetworks(host)
    const outcomes: Partial<Record<Kind, Outcome>> = {}
    for (const kind of ['stock', 'ours'] as const) {
      outcomes[kind] = await runStorm(host, kind)
      progress(`${kind}: ${JSON.stringify(outcomes[kind])}`)
    }
    const { ours } = outcomes
    if (ours === undefined) throw new Error('no outcome')
    const checks: Check[] = [
      equals('peers that have a link to the seed', joinerCount, ours.joined),
      equals('peers that the seed lists', joinerCount, ours.listed),
      atMost('until the last peer had its link', joinLimitMs, ours.lastJoinedMs, 'ms'),
      atMost('until the seed listed the last peer', joinLimitMs, ours.lastListedMs, 'ms'),
      atMost("p99 of the seed's event loop delay until then", loopLimitMs, ours.loopP99Ms, 'ms'),
    ]
    return { figures: { outcomes }, checks }
  },
})

/** Addresses of the seed and of a joiner that only the two use: 10.9.1.1 and 10.9.1.2, and so on. */
function networkOf(index: number): readonly [seed: string, joiner: string] {
  const prefix = `10.${9 + Math.floor(index / 250)}.${1 + (index % 250)}`
  return [`${prefix}.1`, `${prefix}.2`]
}

/**
 * QUIC picks the source address by the route to the destination, so each joiner has its own. No interface has these
 * addresses: every node would list all of them as its own, again and again.
 */
async function addLoopbackNetworks(host: Host): Promise<void> {
  const networks = Array.from({ length: joinerCount }, (_, index) => networkOf(index))
  const lines = [
    'link set lo up',
    ...['10.9.0.0/16', '10.10.0.0/16'].map((net) => `route add table local local ${net} dev lo`),
    ...networks.map(([seed, joiner]) => `route replace table local local ${seed} dev lo src ${joiner}`),
  ]
  await host.run(['ip', '-batch', '-'], `${lines.join('\n')}\n`)
}

/** Runs one seed and four processes of joiners, which share one processor. */
async function runStorm(host: Host, kind: Kind) {
  await using seed = startProgram(host, [], 'storm-seed.ts', [kind, topic])
  const { port, peer } = await seed.nextEvent('ready', 30_000)
  const address = (index: number) => `/ip4/${networkOf(index)[0]}/udp/${port}/quic-v1/p2p/${peer}`
  const addresses = Array.from({ length: joinerCount }, (_, index) => address(index))
  const groups = Array.from({ length: processCount }, (_, group) =>
    addresses.filter((_, index) => index % processCount === group),
  )
  const joiners = groups.map((group) =>
    startProgram(host, ['taskset', '-c', '1'], 'storm-joiners.ts', [kind, topic, ...group]),
  )
  try {
    await Promise.all(joiners.map((one) => one.nextEvent('ready', 60_000)))
    // The first census of each joiner, 5 s after its start, is over.
    await sleep(8_000)
    seed.write('reset')
    const before = await seed.nextEvent('count', 10_000)
    const from = performance.now()
    for (const one of joiners) one.write('')
    const joined = Promise.all(joiners.map((one) => one.nextEvent('joined', runLimitMs)))
    let count = before
    const isListed = async () => {
      seed.write('')
      count = await seed.nextEvent('count', 10_000)
      return Number(count['listed']) >= joinerCount && Number(count['linked']) >= joinerCount
    }
    await until(isListed, runLimitMs, 'all peers are listed').catch(() => {})
    const lastListedMs = Math.round(performance.now() - from)
    const took = (await joined).flatMap(({ ms }) => ms as number[]).sort((a, b) => a - b)
    const delay = count['delay'] as { p99: number; max: number }
    const [rss, rssBefore] = [Number(count['rss']), Number(before['rss'])]
    return {
      joined: took.length,
      listed: Number(count['listed']),
      linked: Number(count['linked']),
      medianJoinedMs: took[Math.floor(took.length / 2)] ?? 0,
      lastJoinedMs: took.at(-1) ?? 0,
      lastListedMs,
      loopP99Ms: round(delay.p99),
      loopMaxMs: round(delay.max),
      cpuMs: Number(count['cpuMs']),
      rssPerPeer: Math.round((rss - rssBefore) / joinerCount),
      refused: count['refused'],
    }
  } finally {
    await Promise.all(joiners.map((one) => one[Symbol.asyncDispose]()))
  }
}

/** Starts a program on the host; it prints events, reads lines, and ends with its input. */
function startProgram(host: Host, through: readonly string[], file: string, args: readonly string[]) {
  const events: Record<string, unknown>[] = []
  const command = nodeCommand(testProgram(`cluster/${file}`), args)
  const child = new Subprocess({
    name: file,
    command: [...host.through, ...through, ...command],
    env: { ...nodeEnvironment(), MESH_ROLE: 'seed', MESH_ADMIN: 'off', MESH_LOG_LEVEL: 'silent' },
    input: true,
    onLine: (line) => void events.push(JSON.parse(line)),
  })
  return {
    write: (line: string) => child.write(`${line}\n`),
    nextEvent: async (event: string, limitMs: number) => {
      const find = () => events.findIndex((one) => one['event'] === event)
      await until(() => find() >= 0, limitMs, `${file} emits ${event}`, child.ended)
      return events.splice(find(), 1)[0] ?? {}
    },
    [Symbol.asyncDispose]: async () => void (await child.endInput(15_000)),
  }
}
