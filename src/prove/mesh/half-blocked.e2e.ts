import { setTimeout as sleep } from 'node:timers/promises'
import type { SpanName } from '../../catalogue/spans.ts'
import { type Cluster, until } from '../../testing/cluster/cluster.ts'
import type { Host } from '../../testing/netns/host.ts'
import type { Network } from '../../testing/netns/network.ts'
import type { ReceivedSpan } from '../../testing/otlp/otlp-receiver.ts'
import { endToEnd } from '../end-to-end.ts'
import { spansNamed, timeUntil } from '../evidence.ts'
import { addressesAt, hostAt, listen, onNetwork } from '../network/on-network.ts'
import { atLeast, atMost, equals, type ProofContext, type ProofResult } from '../proof.ts'

/** When attempts time out, a node gives a seed up 151 s to 251 s after its start. */
const blockedMs = 260_000
/** A node dials a resting seed every five minutes. */
const restoredLimitMs = 310_000
const linkedLimitMs = 10_000
const seed4 = addressesAt('45.79.10.1')
const seed6 = addressesAt('2600:3c00::1').slice(0, 1)

/** What is broken on the way to each node, and its seeds. */
const nodes = [
  { name: 'udp-dropped', seeds: seed4, breaks: (host: Host) => host.drop('eth0', 'udp') },
  { name: 'small-mtu', seeds: seed4, breaks: (host: Host) => host.setMtu('eth0', 1200) },
  { name: 'no-ipv6', seeds: [...seed4, ...seed6], breaks: (host: Host) => host.drop('eth0', 'ipv6') },
  { name: 'unimpaired', seeds: seed4, breaks: async () => {} },
] as const

export const proof = endToEnd({
  name: 'half-blocked',
  about:
    'where UDP is dropped, the MTU is 1200 or IPv6 is broken, nodes link by the remaining path, and emit it without a give-up',
  quick: false,
  seconds: 420,
  run: (context) => onNetwork('half-blocked', (network, cluster) => play(network, cluster, context)),
})

async function play(network: Network, cluster: Cluster, { progress, signal }: ProofContext): Promise<ProofResult> {
  const lan = await network.lan('public')
  const hosts = await Promise.all(
    [1, 2, 3, 4, 5].map((n) => hostAt(network, lan, `host-${n}`, `45.79.10.${n}/24`, `2600:3c00::${n}/64`)),
  )
  const [first, ...others] = hosts as [Host, ...Host[]]
  const seed = await cluster.node('seed', { role: 'seed', host: first, listen })
  const { spans } = cluster.receiver
  const startedAt = Date.now()
  await Promise.all(
    nodes.map(async ({ name, seeds, breaks }, index) => {
      const host = others[index] as Host
      await breaks(host)
      await cluster.node(name, { host, listen, seeds })
    }),
  )
  const linked = await Promise.all(
    nodes.map(async ({ name }) => {
      const isConnected = () => spansNamed(spans, 'mesh.seed.connected', name).length > 0
      await until(isConnected, 60_000, `${name} linked`, signal)
      return [name, Date.now() - startedAt] as const
    }),
  )
  progress(`linked after ${linked.map(([name, ms]) => `${name} ${ms} ms`).join(', ')}; four minutes of watching`)
  await sleep(startedAt + blockedMs - Date.now(), undefined, { signal })
  const state = Object.fromEntries(nodes.map(({ name }) => [name, summary(spans, name, seed.peer)]))

  progress('UDP passes again')
  await others[0]?.drop('eth0')
  const isRestored = () => spansNamed(spans, 'mesh.path.restored', 'udp-dropped').length > 0
  const restoredMs = await timeUntil(restoredLimitMs, isRestored, signal)
  return {
    figures: { linked: Object.fromEntries(linked), state, restoredMs },
    checks: [
      ...linked.map(([name, ms]) => atMost(`${name}: linked`, linkedLimitMs + 20_000, ms, 'ms')),
      ...nodes.map(({ name }) => equals(`${name}: give-ups`, 0, state[name]?.giveups ?? -1)),
      ...nodes.map(({ name }) => atMost(`${name}: retries`, 1, state[name]?.retries ?? Number.NaN)),
      ...['udp-dropped', 'small-mtu', 'no-ipv6'].flatMap((name) => [
        atLeast(`${name}: blocked paths to its seed`, 1, state[name]?.blocked.length ?? 0),
        atMost(`${name}: each is emitted once`, 1, state[name]?.most ?? Number.NaN),
      ]),
      equals('unimpaired: blocked paths to its seed', 0, state['unimpaired']?.blocked.length ?? -1),
      atMost('the path restored after', restoredLimitMs, restoredMs, 'ms'),
    ],
  }
}

function summary(spans: readonly ReceivedSpan[], node: string, seed: string) {
  const all = spansNamed(spans, 'mesh.path.blocked', node)
  const blocked = all.filter(({ attributes }) => {
    return attributes['mesh.peer.id'] === seed && attributes['mesh.seed.address'] !== undefined
  })
  const texts = blocked.map(({ attributes: of }) => {
    return `${of['mesh.path.unreachable']}: ${of['error.type']}; reached by ${of['mesh.path.reached_by']}`
  })
  const most = Math.max(0, ...texts.map((text) => texts.filter((other) => other === text).length))
  const count = (name: SpanName) => spansNamed(spans, name, node).length
  const members = all.length - blocked.length
  return { giveups: count('mesh.seed.giveup'), retries: count('mesh.seed.retry'), blocked: texts, most, members }
}
