import { emitSpan } from '../../catalogue/span-effect.ts'
import type { CensusInput } from '../../telemetry/census.ts'
import type { ReadableSpan, SpanExporter } from '../../telemetry/sdk-types.ts'
import { startTelemetry, type TelemetryOptions } from '../../telemetry/telemetry.ts'
import { seededRandom } from '../random.ts'
import { VirtualClock } from '../sim/virtual-clock.ts'

/** Resource of the node in telemetry tests. */
export const resource = {
  meshId: 'm',
  nodeName: 'n1',
  role: 'seed',
  incarnation: 3,
  peer: 'peer-1',
  version: '1.2.3',
} as const

/** The window of spans that name no parent. */
export const window = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }

/** A span about an event, without a parent of its own. */
export const memberLeft = emitSpan('mesh.member.left', {
  'mesh.peer.id': 'p',
  'mesh.peer.name': 'n2',
  'mesh.peer.role': 'compute',
  'mesh.peer.incarnation': 1,
})

/** The census of a node without registries. */
export const idleCensus: CensusInput = {
  inventory: { registries: [], resources: [] },
  links: [],
  connections: [],
  counts: { peers: 1, members: 2 },
  libp2p: { 'mesh.audit.streams': 3, 'mesh.audit.gossip_peers': 4, 'mesh.audit.peer_store': 5 },
  frames: { in: 6, out: 7, refused: 8 },
  vitals: { memoryBytes: 1, heapBytes: 1, cpuSeconds: 1, loopDelayP99: 0, loopDelayMax: 0, sockets: 1, timers: 1 },
  sweeps: 12,
  telemetry: { queued: 0, lostTotal: 0, sampledOut: 0 },
}

/** An exporter that keeps its spans. */
export function memoryExporter(): { readonly exporter: SpanExporter; readonly spans: ReadableSpan[] } {
  const spans: ReadableSpan[] = []
  const exporter: SpanExporter = {
    export: (batch, done) => {
      spans.push(...batch)
      done({ code: 0 })
    },
    shutdown: () => Promise.resolve(),
  }
  return { exporter, spans }
}

/** Telemetry on virtual time, with an exporter that keeps its spans. */
export function startMemoryTelemetry(options: Partial<TelemetryOptions> = {}) {
  const clock = new VirtualClock({ start: 5_000 })
  const { exporter, spans } = memoryExporter()
  const telemetry = startTelemetry({ clock, resource, exporter, random: seededRandom(1), ...options })
  const flush = async (): Promise<readonly ReadableSpan[]> => {
    const flushing = telemetry.flush(60_000)
    for (let i = 0; i < 500 && telemetry.stats.queued > 0; i++) {
      clock.advance(0)
      await Promise.resolve()
    }
    await flushing
    return spans
  }
  return { clock, telemetry, flush }
}
