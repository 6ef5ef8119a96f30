import { readdirSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Cluster, type NodeProcess, startCluster, until } from '../../testing/cluster/cluster.ts'
import { endToEnd } from '../end-to-end.ts'
import { spansNamed, timeUntil } from '../evidence.ts'
import { atLeast, atMost, type Check, equals, type ProofContext } from '../proof.ts'
import { isLinked, promptSpans } from './mesh.ts'

/** More descriptors than a node with one link needs, about 35, and fewer than the flood opens. */
const limits = { low: 60, control: 1_024 } as const
/** Connections to the HTTP API, which keeps idle ones open for 10 s, and to the TCP listener. */
const flood = { http: 60, tcp: 20, everyMs: 2_000, ms: 20_000 } as const
const spanDelayMs = 20_000
const recoveryLimitMs = 20_000

type Variant = keyof typeof limits

type Outcome = Awaited<ReturnType<typeof runVariant>>

export const proof = endToEnd({
  name: 'descriptors',
  about: 'a node that runs out of file descriptors emits exhaustion and recovery, and accepts, dials and answers again',
  quick: false,
  seconds: 80,
  async run(context) {
    const outcomes = [await runVariant('low', context), await runVariant('control', context)] as const
    return { figures: { outcomes }, checks: outcomes.flatMap(checksOf) }
  },
})

async function runVariant(variant: Variant, { progress, signal }: ProofContext) {
  await using cluster = await startCluster(promptSpans)
  const limit = limits[variant]
  const host = { through: ['prlimit', `--nofile=${limit}:${limit}`] }
  const [address, tcp] = [cluster.address('node'), tcpOf(cluster.address('node'))]
  const seeds = [cluster.address('seed')]
  const seed = await cluster.node('seed', { role: 'seed' })
  const node = await cluster.node('node', { host, listen: [address, tcp], seeds })
  await until(() => isLinked(node, seed), recoveryLimitMs, 'linked with the seed')
  const descriptors = [descriptorsOf(node)]
  progress(`${limit} descriptors, ${descriptors[0]} in use; opening connections`)
  const { answered, newSeed, highest } = await floodNode(node, Number(tcp.split('/').at(-1)), seed, cluster, signal)
  const ended = Date.now()
  // The node could not dial its new seed during the flood.
  const linkedMs = await timeUntil(recoveryLimitMs, () => isLinked(node, newSeed))
  const newcomer = await cluster.node('newcomer', { seeds: [tcp] })
  const newcomerMs = await timeUntil(recoveryLimitMs, () => isLinked(node, newcomer))
  const spans = (name: 'mesh.resource.exhausted' | 'mesh.resource.recovered') =>
    spansNamed(cluster.receiver.spans, name, 'node')
  if (variant === 'low') await timeUntil(spanDelayMs, () => spans('mesh.resource.recovered').length > 0)
  else await sleep(spanDelayMs, undefined, { signal })
  return {
    variant,
    // Before the flood, at its height, and after it.
    descriptors: [...descriptors, highest, descriptorsOf(node)],
    answered,
    exhausted: spans('mesh.resource.exhausted').map(({ attributes }) => attributes),
    recovered: spans('mesh.resource.recovered').map(({ attributes }) => attributes),
    recoveredMs: (spans('mesh.resource.recovered')[0]?.endMs ?? Number.NaN) - ended,
    logged: node.log.filter(({ msg }) => String(msg).startsWith('mesh.resource.')),
    linkedMs,
    newcomerMs,
    exit: await node.stop(),
  }
}

/** Opens connections until no descriptor is left; meanwhile another seed replaces the seed at its address. */
async function floodNode(node: NodeProcess, tcpPort: number, seed: NodeProcess, cluster: Cluster, signal: AbortSignal) {
  const sockets: Socket[] = []
  const open = (port: number) => sockets.push(connect(port, '127.0.0.1').on('error', () => {}))
  const until = performance.now() + flood.ms
  let [highest, answered] = [0, false]
  let newSeed: Promise<NodeProcess> | undefined
  while (performance.now() < until) {
    for (let n = 0; n < flood.http; n++) open(Number(new URL(node.adminUrl).port))
    for (let n = 0; n < flood.tcp; n++) open(tcpPort)
    await sleep(flood.everyMs, undefined, { signal })
    highest = Math.max(highest, descriptorsOf(node))
    answered ||= (await node.api('/healthz').catch(() => undefined)) !== undefined
    if (newSeed === undefined) {
      seed.kill()
      newSeed = seed.exited.then(() => cluster.node('seed', { role: 'seed' }))
    }
  }
  for (const socket of sockets) socket.destroy()
  return { answered, highest, newSeed: await (newSeed ?? Promise.reject(new Error('no flood'))) }
}

/** The TCP port of the same number as its QUIC port. */
function tcpOf(address: string): string {
  return address.replace(/udp\/(\d+)\/quic-v1/, 'tcp/$1')
}

function descriptorsOf({ pid }: NodeProcess): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

function checksOf(outcome: Outcome): Check[] {
  const { variant, exhausted, recovered, recoveredMs, logged, descriptors, linkedMs, newcomerMs, exit } = outcome
  const back = [
    atMost(`${variant}: linked with the new seed after`, recoveryLimitMs, linkedMs, 'ms'),
    atMost(`${variant}: linked with a newcomer over TCP after`, recoveryLimitMs, newcomerMs, 'ms'),
    equals(`${variant}: exit code`, 0, exit),
  ]
  if (variant === 'control') {
    return [
      atLeast('control: descriptors at the height', limits.low, Number(descriptors[1])),
      equals('control: spans of exhaustion', 0, exhausted.length + recovered.length),
      ...back,
    ]
  }
  return [
    equals('low: exhaustions emitted', 1, exhausted.length),
    equals('low: error.type', 'EMFILE', String(exhausted[0]?.['error.type'])),
    equals('low: recoveries emitted', 1, recovered.length),
    atMost('low: recovery emitted after the end by', spanDelayMs, recoveredMs, 'ms'),
    atLeast('low: exhausted for', flood.ms / 2, Number(recovered[0]?.['mesh.resource.exhausted_ms']), 'ms'),
    equals('low: log lines', 2, logged.length),
    ...back,
  ]
}
