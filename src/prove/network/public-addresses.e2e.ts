import type { Cluster } from '../../testing/cluster/cluster.ts'
import type { Network } from '../../testing/netns/network.ts'
import { endToEnd } from '../end-to-end.ts'
import { timeUntil } from '../evidence.ts'
import { atMost, type Check, equals, type ProofContext } from '../proof.ts'
import { addressesAt, areLinkedBothWays, hostAt, listen, type NodeView, onNetwork, viewsOf } from './on-network.ts'

interface Range {
  readonly name: string
  readonly prefix: string
  readonly length: number
}

/** Host numbers of the seed and the two others. */
const hosts = [1, 2, 3] as const
const ranges: readonly Range[] = [
  { name: 'public IPv4', prefix: '45.79.10.', length: 24 },
  { name: 'global IPv6', prefix: '2600:3c00::', length: 64 },
  { name: 'IPv6 of NAT64', prefix: '64:ff9b::2d4f:a0', length: 96 },
  { name: 'private IPv4', prefix: '10.88.0.', length: 24 },
]
const linkedMs = 30_000
/** Window, sweep, and a margin for a slow machine. */
const expiredMs = 45_000

export const proof = endToEnd({
  name: 'public-addresses',
  about: 'three machines with one address each, of any kind: the seed is killed, the two others stay linked',
  quick: false,
  seconds: 75,
  run: (context) =>
    onNetwork('public-addresses', async (network, cluster) => {
      const meshes: RangeMesh[] = []
      for (const range of ranges) meshes.push(await startMesh(network, cluster, range))
      const outcomes = await Promise.all(meshes.map((mesh) => play(mesh, context)))
      return {
        figures: {
          outcomes: outcomes.map(({ range, ...rest }) => ({ range: range.name, ...rest })),
        },
        checks: outcomes.flatMap(checksOf),
      }
    }),
})

type RangeMesh = Awaited<ReturnType<typeof startMesh>>
type Outcome = Awaited<ReturnType<typeof play>>

async function startMesh(network: Network, cluster: Cluster, range: Range) {
  const index = ranges.indexOf(range)
  const lan = await network.lan(`lan${index}`)
  const addressOf = (n: number) => `${range.prefix}${n}`
  const start = async (n: number) => {
    const host = await hostAt(network, lan, `${range.name} ${n}`, `${addressOf(n)}/${range.length}`)
    const seeds = n === hosts[0] ? [] : addressesAt(addressOf(hosts[0]))
    const role = n === hosts[0] ? 'seed' : 'compute'
    return cluster.node(`m${index}-${n}`, { mesh: `mesh-${index}`, role, host, listen, seeds })
  }
  const seed = await start(hosts[0])
  return { range, seed, others: await Promise.all(hosts.slice(1).map(start)) }
}

/** Views of the two others, before and after the kill of the seed. */
async function play({ range, seed, others }: RangeMesh, { progress, signal }: ProofContext) {
  const views = () => viewsOf(others)
  const tookMs = await timeUntil(linkedMs, async () => isPair(await views()), signal)
  const before = await views()
  progress(`${range.name}: ${tookMs > 0 ? 'linked' : 'NOT linked'}; the seed is killed`)
  seed.kill()
  const expired = async () => (await views()).every(({ members }) => members[seed.name] === undefined)
  const removedMs = await timeUntil(expiredMs, expired, signal)
  return { range, linkedMs: tookMs, expiredMs: removedMs, before, after: await views() }
}

function isPair([one, other]: readonly NodeView[]): boolean {
  return one !== undefined && other !== undefined && areLinkedBothWays(one, other)
}

function checksOf({ range, linkedMs: tookMs, expiredMs: removedMs, before, after }: Outcome): Check[] {
  const own = hosts.slice(1).map((n) => `${range.prefix}${n}`)
  const announced = before.flatMap(({ members }) => Object.values(members).flat())
  const complete = own.every((host) =>
    addressesAt(host).every((address) => announced.some((one) => one.startsWith(`${address}/`) || one === address)),
  )
  const loopback = announced.filter((one) => /127\.|\/::1\//.test(one))
  return [
    atMost(`${range.name}: the two others are linked after`, linkedMs, tookMs, 'ms'),
    equals(`${range.name}: both announce their address, over QUIC and TCP`, true, complete),
    equals(`${range.name}: loopback addresses announced`, 0, loopback.length),
    atMost(`${range.name}: the killed seed is removed from their view after`, expiredMs, removedMs, 'ms'),
    equals(`${range.name}: then they are linked`, true, isPair(after)),
  ]
}
