import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { identify } from '@libp2p/identify'
import { quic } from '@libp2p/quic'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { silentLibp2p } from '../../kit/libp2p-logger.ts'
import { nodeCommand, nodeEnvironment, parseLogLine } from '../../processes/node-program.ts'
import { Subprocess } from '../../processes/subprocess.ts'
import { type Cluster, type NodeProcess, startCluster, until } from '../../testing/cluster/cluster.ts'
import { boundPorts } from '../../testing/cluster/process-sockets.ts'
import { udpRelay } from '../../testing/cluster/udp-relay.ts'
import { endToEnd } from '../end-to-end.ts'
import { type AnySpan, nameOf, spansNamed } from '../evidence.ts'
import { atLeast, atMost, type Check, equals, notShown } from '../proof.ts'
import { root, testProgram } from '../shell.ts'
import { promptSpans, topologyOf } from './mesh.ts'
import { startTcpServer } from './receiver-away-exit.e2e.ts'

/** Limits from SIGTERM: libp2p and its sockets are gone, and the process has exited. Milliseconds. */
const limits = { gone: 2_000, exit: 4_000 }
/** No receiver listens here. */
const away = { MESH_OTLP: 'http://127.0.0.1:1', MESH_LOG_LEVEL: 'debug' }
const crowdSize = 50
/** From the start of a process to SIGTERM. */
const startDelaysMs = [300, 700, 1_100, 1_500, 1_900]

export const proof = endToEnd({
  name: 'shutdown',
  about:
    'from any state libp2p and its sockets are gone within 2 s of SIGTERM and the process within 4 s, and a step that fails, hangs or is missing shows in the spans',
  quick: false,
  seconds: 75,
  async run({ progress, signal }) {
    const outcomes: Outcome[] = []
    for (const [name, prepare] of Object.entries(states)) {
      await using cluster = await startCluster(promptSpans)
      await using prepared = await prepare(cluster, signal)
      const outcome = await stopAndMeasure(name, prepared.node)
      outcomes.push(outcome)
      progress(`${name}: gone after ${outcome.goneMs} ms, exit ${outcome.code} after ${outcome.exitMs} ms`)
    }
    const starts = []
    for (const delayMs of startDelaysMs) starts.push(await stopDuringStart(delayMs))
    progress(`during start: ${starts.map(({ delayMs, exitMs }) => `${delayMs}: ${exitMs} ms`).join(', ')}`)
    const second = await signalTwice()
    const faults = await plantFaults()
    progress(`a second signal: exit after ${second.exitMs} ms; planted: ${faults.map(({ fault }) => fault).join(' ')}`)
    return {
      figures: { outcomes, starts, second, faults },
      checks: [
        ...outcomes.flatMap(checksOf),
        ...starts.map(({ delayMs, exitMs }) =>
          atMost(`SIGTERM ${delayMs} ms after the start of the process: exit after`, limits.exit, exitMs, 'ms'),
        ),
        atMost('a second signal: exit after', 500, second.exitMs, 'ms'),
        equals('a second signal: exit code', 143, second.code ?? -1),
        ...faults.flatMap(checksOfFault),
      ],
    }
  },
})

interface Prepared extends AsyncDisposable {
  readonly node: NodeProcess
}

type Prepare = (cluster: Cluster, signal: AbortSignal) => Promise<Prepared>

const nothing = async () => {}

const states: Readonly<Record<string, Prepare>> = {
  /** The receiver is up: the spans of the stop arrive. */
  idle: async (cluster) => ({ node: await cluster.node('node'), [Symbol.asyncDispose]: nothing }),
  'receiver away': async (cluster) => ({
    node: await cluster.node('node', { env: away }),
    [Symbol.asyncDispose]: nothing,
  }),
  'dials that get no answer': async (cluster) => {
    const silentUdp = createSocket('udp4').bind(0, '127.0.0.1')
    await once(silentUdp, 'listening')
    const silentTcp = await startTcpServer(() => {})
    const tcpPort = new URL(silentTcp.endpoint).port
    const seeds = [`/ip4/127.0.0.1/udp/${silentUdp.address().port}/quic-v1`, `/ip4/127.0.0.1/tcp/${tcpPort}`]
    const node = await cluster.node('node', { seeds, env: away })
    await sleep(1_500)
    return {
      node,
      [Symbol.asyncDispose]: async () => {
        silentUdp.close()
        await silentTcp[Symbol.asyncDispose]()
      },
    }
  },
  'a frozen peer': async (cluster) => {
    const seed = await cluster.node('seed', { role: 'seed' })
    const node = await cluster.node('node', { seeds: [cluster.address('seed')], env: away })
    await until(async () => (await topologyOf(node)).members.length > 0, 15_000, 'a member')
    seed.pause()
    return { node, [Symbol.asyncDispose]: async () => seed.resume() }
  },
  [`${crowdSize} connections`]: async (cluster) => {
    const node = await cluster.node('node', { role: 'seed', env: away })
    const address = `${cluster.address('node')}/p2p/${node.peer}`
    const ready = Promise.withResolvers<void>()
    const crowd = new Subprocess({
      name: 'the crowd',
      command: nodeCommand(testProgram('cluster/join-crowd.ts'), [address, 'mesh-a/news', String(crowdSize)]),
      input: true,
      onLine: (line) => {
        if (line.includes('"ready"')) ready.resolve()
      },
    })
    await crowd.ready(ready.promise, 60_000)
    crowd.write('join\n')
    const peers = async () => (await topologyOf(node)).peers.length
    await until(async () => (await peers()) >= crowdSize, 60_000, 'all are connected')
    return { node, [Symbol.asyncDispose]: async () => void (await crowd.endInput(10_000)) }
  },
  'a QUIC link that opens no stream': async (cluster) => {
    const node = await cluster.node('node', { env: away })
    const wedged = await startPeer({ maxConcurrentStreamLimit: 0 })
    await wedged.dial(multiaddr(`${cluster.address('node')}/p2p/${node.peer}`))
    await until(async () => (await topologyOf(node)).peers.length > 0, 15_000, 'the peer is connected')
    return { node, [Symbol.asyncDispose]: async () => void (await wedged.stop()) }
  },
  'a stalled handshake': async (cluster) => {
    const node = await cluster.node('node', { env: away })
    const relay = await udpRelay(Number(/udp\/(\d+)/.exec(cluster.address('node'))?.[1]), { oneWay: true })
    const stalled = await startPeer({})
    const dial = stalled.dial(multiaddr(`/ip4/127.0.0.1/udp/${relay.port}/quic-v1`)).catch(() => {})
    await until(() => relay.answered() > 0, 15_000, 'the node answers the handshake')
    return {
      node,
      [Symbol.asyncDispose]: async () => {
        await stalled.stop()
        await dial
        await relay[Symbol.asyncDispose]()
      },
    }
  },
}

async function startPeer(settings: object) {
  const options: object = { shutdownTimeout: 100, ...settings }
  return createLibp2p({ transports: [quic(options)], logger: silentLibp2p, services: { identify: identify() } })
}

interface Outcome {
  readonly name: string
  readonly code: number
  /** Until `mesh.node.stopped`, by its log line. */
  readonly goneMs: number
  /** Until no port of the node is bound; by the process table. */
  readonly unboundMs: number
  readonly exitMs: number
  readonly expected: readonly string[]
  readonly run: readonly string[]
  readonly missing: readonly string[]
  readonly failed: readonly string[]
  readonly held: readonly string[]
  readonly left: readonly string[]
  readonly steps: number
}

async function stopAndMeasure(name: string, node: NodeProcess): Promise<Outcome> {
  const ports = node.addresses.flatMap((address) => Number(/\/(?:udp|tcp)\/(\d+)/.exec(address)?.[1] ?? []))
  const isBound = () => {
    try {
      return boundPorts(node.pid).some((port) => ports.includes(port))
    } catch {
      return false
    }
  }
  if (!isBound()) throw new Error(`${name}: the node is not bound to ${ports}`)
  const [beganAt, began] = [Date.now(), performance.now()]
  let unboundMs = Number.NaN
  const code = node.stop()
  const poll = setInterval(() => {
    if (Number.isNaN(unboundMs) && !isBound()) unboundMs = Math.round(performance.now() - began)
  }, 20)
  const exitCode = await code
  clearInterval(poll)
  const exitMs = Math.round(performance.now() - began)
  const entry = node.log.findLast(({ msg }) => msg === 'mesh.node.stopped')
  const named = (attribute: string) => (entry?.[`mesh.stop.${attribute}`] ?? []) as string[]
  return {
    name,
    code: exitCode,
    goneMs: Date.parse(String(entry?.['time'])) - beganAt,
    unboundMs: Number.isNaN(unboundMs) ? exitMs : unboundMs,
    exitMs,
    expected: named('expected'),
    run: named('run'),
    missing: named('missing'),
    failed: named('failed'),
    held: named('held'),
    left: named('left'),
    steps: node.log.filter(({ msg }) => msg === 'mesh.node.step').length,
  }
}

function checksOf({ name, code, goneMs, unboundMs, exitMs, expected, run, missing, failed, held }: Outcome): Check[] {
  return [
    equals(`${name}: exit code`, 0, code),
    atMost(`${name}: libp2p is gone after`, limits.gone, goneMs, 'ms'),
    process.platform === 'linux'
      ? atMost(`${name}: its ports are free after`, limits.gone, unboundMs, 'ms')
      : notShown(`${name}: its ports are free after`, `at most ${limits.gone} ms`, 'no /proc'),
    atMost(`${name}: exit after`, limits.exit, exitMs, 'ms'),
    atLeast(`${name}: expected steps`, 15, expected.length),
    equals(`${name}: expected steps that did not run`, '', expected.filter((step) => !run.includes(step)).join()),
    equals(`${name}: missing, failed and held`, '', [...missing, ...failed, ...held].join()),
  ]
}

/** A process that may not listen yet, or not even handle signals. */
function startBare(onLine: (line: string) => void = () => {}, env: NodeJS.ProcessEnv = {}): Subprocess {
  return new Subprocess({
    name: 'a node',
    command: nodeCommand(`${root}/src/bin.js`, ['node']),
    env: {
      ...nodeEnvironment(),
      MESH_LISTEN: '/ip4/127.0.0.1/udp/0/quic-v1',
      TRACEMESH_NO_BUNDLED_NODE: '1',
      ...away,
      ...env,
    },
    onLine,
  })
}

async function stopDuringStart(delayMs: number) {
  const lines: string[] = []
  const child = startBare((line) => lines.push(String(parseLogLine(line)['msg'])))
  await sleep(delayMs)
  const began = performance.now()
  const { code, signal } = await child.stop(10_000)
  return {
    delayMs,
    exitMs: Math.round(performance.now() - began),
    exit: signal ?? code,
    last: lines.filter((line) => line !== 'mesh.node.step').at(-1) ?? '',
  }
}

/** The first signal begins a stop that waits for the receiver; the second ends it. */
async function signalTwice() {
  const stopped = Promise.withResolvers<void>()
  const listening = Promise.withResolvers<void>()
  const child = startBare((line) => {
    if (line.includes('"listening"')) listening.resolve()
    if (line.includes('mesh.node.stopped')) stopped.resolve()
  })
  await child.ready(listening.promise, 60_000)
  child.signal('SIGTERM')
  await Promise.all([stopped.promise, sleep(400)])
  const began = performance.now()
  const { code } = await child.stop(10_000)
  return { code, exitMs: Math.round(performance.now() - began) }
}

/** The spans of a stop with a planted fault, at the receiver. */
async function plantFaults() {
  await using cluster = await startCluster(promptSpans)
  const entry = testProgram('cluster/stop-faults.ts')
  const stops = ['none', 'throw', 'hang', 'skip'].map(async (fault) => {
    const node = await cluster.node(fault, { entry, env: { STOP_FAULT: fault } })
    const began = performance.now()
    const code = await node.stop()
    const exitMs = Math.round(performance.now() - began)
    const spans = cluster.receiver.spans.filter((span) => nameOf(span) === fault)
    const [stopped] = spansNamed(spans, 'mesh.node.stopped')
    const steps = spansNamed(spans, 'mesh.node.step').filter(({ parentSpanId }) => parentSpanId === stopped?.spanId)
    return { fault, code, exitMs, ...account(stopped), errors: steps.map(errorOf).filter((text) => text !== '') }
  })
  // The cluster ends with this block.
  return await Promise.all(stops)
}

function errorOf({ attributes }: AnySpan): string {
  return String(attributes['mesh.step.error'])
}

function account(stopped: AnySpan | undefined) {
  const count = (name: string) => ((stopped?.attributes[`mesh.stop.${name}`] ?? []) as string[]).length
  return { expected: count('expected'), run: count('run'), missing: count('missing'), failed: count('failed') }
}

function checksOfFault(stop: Awaited<ReturnType<typeof plantFaults>>[number]): Check[] {
  const { fault, code, exitMs, expected, missing, failed, errors } = stop
  const isSeen = { none: true, throw: failed === 1, hang: failed === 1 && missing > 10, skip: missing > 10 }[fault]
  const shown = `${failed} failed, ${missing} missing of ${expected}: ${errors.join()}`
  return [
    atLeast(`fault ${fault}: expected steps in the span`, 15, expected),
    {
      what: `fault ${fault}: seen in the spans`,
      want: fault === 'none' ? 'nothing' : 'the fault',
      got: shown,
      holds: fault === 'none' ? failed + missing + errors.length === 0 : isSeen === true,
    },
    equals(`fault ${fault}: exit code`, fault === 'none' ? 0 : 1, code),
    atMost(`fault ${fault}: exit after`, limits.exit, exitMs, 'ms'),
  ]
}
