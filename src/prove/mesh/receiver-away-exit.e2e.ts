import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Cluster, type NodeProcess, startCluster } from '../../testing/cluster/cluster.ts'
import { endToEnd } from '../end-to-end.ts'
import { atLeast, atMost, type Check, equals } from '../proof.ts'

const exitLimitMs = 5_000
/** At this level each emitted span is a log line, so the log counts them; frequent sweeps make more of them. */
const env = { MESH_LOG_LEVEL: 'trace', MESH_SWEEP_MS: '100', OTEL_BSP_SCHEDULE_DELAY: '1000' }

export const proof = endToEnd({
  name: 'receiver-away-exit',
  about:
    'SIGTERM while the receiver is away or mute: exit within 5 s, and the node logs the exact number of unsent spans',
  quick: false,
  seconds: 15,
  async run({ progress, signal }) {
    await using cluster = await startCluster({ env })
    const mute = await muteServer()
    try {
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
    } finally {
      await mute.close()
    }
  },
})

interface Exit {
  readonly name: string
  readonly code: number
  readonly tookMs: number
  /** Emitted spans by the log, one line each. */
  readonly emitted: number
  readonly received: number
  /** By the last word of the log; NaN when it says nothing of it. */
  readonly loggedLost: number
}

/** Other lines carry the ids of the window that they belong to. */
function isInSpans({ msg }: NodeProcess['log'][number]): boolean {
  return String(msg).startsWith('mesh.') || msg === 'spans were lost'
}

async function stopNode({ receiver }: Cluster, node: NodeProcess): Promise<Exit> {
  const began = performance.now()
  const code = await node.stop()
  const tookMs = Math.round(performance.now() - began)
  const spans = receiver.spans.filter(({ resource }) => resource['mesh.node.name'] === node.name)
  const last = node.log.findLast(({ msg }) => msg === 'spans were lost at exit')
  return {
    name: node.name,
    code,
    tookMs,
    emitted: node.log.filter(isInSpans).length,
    received: new Set(spans.map(({ spanId }) => spanId)).size,
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

/** Accepts connections and never answers. */
async function muteServer(): Promise<{ endpoint: string; close(): Promise<void> }> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${port}`,
    close: () => {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
