import { censusAttributes } from '../../catalogue/census.ts'
import { registries } from '../../catalogue/registries.ts'
import { emitSpan, type SpanEffect } from '../../catalogue/span-effect.ts'
import type { RegistryCensus } from '../../core/owned-map.ts'
import type { TraceRef } from '../../core/trace.ts'
import { registryEvidence } from '../../evidence/registry-evidence.ts'
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
  'mesh.member.via': 'link',
})

/** A census of an idle node, with all its attributes and a span per registry. */
export function idleCensus(audit: TraceRef, parent: TraceRef): readonly SpanEffect[] {
  const counts = Object.entries(censusAttributes).map(([name, { type }]) => [
    name,
    type === 'string[]' ? ['x 1'] : type === 'string' ? 'x' : 1,
  ])
  const attributes = {
    'mesh.audit.verdict': 'consistent',
    'mesh.audit.cause': 'periodic',
    ...Object.fromEntries(counts),
  } as const
  const part = registryEvidence({
    registries: registries.map((name) => ({ ...usedRegistry, name })),
    resources: [],
    totals: { adopted: 0, released: 0 },
  })
  return [emitSpan('mesh.audit', attributes, { ref: audit, parent }), ...(part.children?.(audit) ?? [])]
}

const usedRegistry: Omit<RegistryCensus, 'name'> = {
  owner: 'o',
  size: 3,
  capacity: 9,
  highWaterMark: 3,
  added: 3,
  released: 0,
  byReason: { replaced: 0, removed: 0, expired: 0, evicted: 0, closed: 0 },
  oldestMs: 0,
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
