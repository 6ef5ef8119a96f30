import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Cluster, type NodeProcess, startCluster } from '../../testing/cluster/cluster.ts'
import { endToEnd } from '../end-to-end.ts'
import { nameOf } from '../evidence.ts'
import { atLeast, atMost, type Check, equals } from '../proof.ts'

const exitLimitMs = 4_000
/** At this level each emitted span is a log line, so the log counts them; frequent sweeps make more of them. */
const env = { MESH_LOG_LEVEL: 'trace', MESH_SWEEP_MS: '100', OTEL_BSP_SCHEDULE_DELAY: '1000' }

export const proof = endToEnd({
  name: 'receiver-away-exit',
  about:
    'SIGTERM while the receiver is away or mute: exit within 4 s, and the node logs the exact number of unsent spans',
  quick: false,
  seconds: 15,
  async run({ progress, signal }) {
    await using cluster = await startCluster({ env })
    // It accepts connections and never answers.
    await using mute = await startTcpServer(() => {})
    const away = await cluster.node('away')
    const unanswered = await cluster.node('unanswered', { env: { MESH_OTLP: mute.endpoint } })
    await sleep(3_000, undefined, { signal })
    progress('the receiver goes')
    await cluster.receiver.stop()
    await sleep(3_000, undefined, { signal })
    const exits = [await stopNode(cluster, away), await stopNode(cluster, unanswered)]
    const checks = exits.flatMap((exit) => checksOf(exit))
    const arrived = exits.map(({ received }) => received)
    return {
      figures: { exits },
      checks: [
        ...checks,
        atLeast('away: spans that arrived before', 10, arrived[0] ?? 0),
        equals('unanswered: spans that arrived', 0, arrived[1] ?? Number.NaN),
      ],
    }
  },
})

type Exit = Awaited<ReturnType<typeof stopNode>>

/** Other lines carry the ids of the window that they belong to. */
function isInSpans({ msg }: NodeProcess['log'][number]): boolean {
  return String(msg).startsWith('mesh.') || msg === 'spans were lost'
}

async function stopNode({ receiver }: Cluster, node: NodeProcess) {
  const began = performance.now()
  const code = await node.stop()
  const tookMs = Math.round(performance.now() - began)
  const spans = receiver.spans.filter((span) => nameOf(span) === node.name)
  const last = node.log.findLast(({ msg }) => msg === 'spans were lost at exit')
  return {
    name: node.name,
    code,
    tookMs,
    // By the log, one line each.
    emitted: node.log.filter(isInSpans).length,
    received: new Set(spans.map(({ spanId }) => spanId)).size,
    // NaN when the log says nothing of it.
    loggedLost: Number(last?.['lost']),
  }
}

function checksOf({ name, code, tookMs, emitted, received, loggedLost }: Exit): Check[] {
  return [
    equals(`${name}: exit code`, 0, code),
    atMost(`${name}: from SIGTERM to its exit`, exitLimitMs, tookMs, 'ms'),
    equals(`${name}: logged as lost, against emitted less arrived`, emitted - received, loggedLost),
    atLeast(`${name}: lost`, 1, loggedLost),
  ]
}

/** A TCP server on loopback, which closes its connections with itself. Connections that end with an error are fine. */
export async function startTcpServer(accept: (socket: Socket) => void) {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    accept(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
