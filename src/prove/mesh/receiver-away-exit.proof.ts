import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Cluster, type NodeProcess, startCluster } from '../../testing/cluster.ts'
import { atLeast, atMost, type Check, equals, type Proof } from '../proof.ts'

const outWithinMs = 5_000
/** Every told span is a line of its own at this level, so the log can be counted; sweeps are frequent for more of them. */
const env = { MESH_LOG_LEVEL: 'trace', MESH_SWEEP_MS: '100', OTEL_BSP_SCHEDULE_DELAY: '1000' }

export const proof: Proof = {
  name: 'receiver-away-exit',
  about:
    'SIGTERM while the receiver is away or mute: out within 5 s, and the exact number of spans that never left is logged',
  quick: false,
  seconds: 15,
  async run({ progress, signal }) {
    await using cluster = await startCluster({ env })
    const mute = await muteServer()
    try {
      const away = await cluster.node('away')
      const unheard = await cluster.node('unheard', { env: { MESH_OTLP: mute.endpoint } })
      await sleep(3_000, undefined, { signal })
      progress('the receiver goes')
      await cluster.receiver.stop()
      await sleep(3_000, undefined, { signal })
      const exits = [await stopNode(cluster, away), await stopNode(cluster, unheard)]
      const checks = exits.flatMap((exit) => checksOf(exit))
      const arrived = exits.map(({ received }) => received)
      return {
        figures: { exits, load: loadavg() },
        checks: [
          ...checks,
          atLeast('away: spans that arrived before', 10, arrived[0] ?? 0),
          equals('unheard: spans that arrived', 0, arrived[1] ?? Number.NaN),
        ],
      }
    } finally {
      await mute.close()
    }
  },
}

interface Exit {
  readonly name: string
  readonly code: number
  readonly tookMs: number
  /** By the log, one line each. */
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
  const numbers = receiver.spans.filter(({ resource }) => resource['mesh.node.name'] === node.name)
  const last = node.log.findLast(({ msg }) => msg === 'spans were lost at exit')
  return {
    name: node.name,
    code,
    tookMs,
    emitted: node.log.filter(isInSpans).length,
    received: new Set(numbers.map(({ spanId }) => spanId)).size,
    loggedLost: Number(last?.['lost']),
  }
}

function checksOf({ name, code, tookMs, emitted, received, loggedLost }: Exit): Check[] {
  return [
    equals(`${name}: exit code`, 0, code),
    atMost(`${name}: from SIGTERM to its end`, outWithinMs, tookMs, 'ms'),
    equals(`${name}: logged as lost, against told less arrived`, emitted - received, loggedLost),
    atLeast(`${name}: lost`, 1, loggedLost),
  ]
}

/** Takes connections and never says a word. */
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
