import { attributes } from '../../catalogue/attributes.ts'
import { type CensusAttribute, censusAttributes } from '../../catalogue/census.ts'
import { registries } from '../../catalogue/registries.ts'
import type { SpanName } from '../../catalogue/spans.ts'
import type { Random } from '../../core/machine.ts'
import type { SentSpan, SentValue } from '../../store/otlp-client.ts'
import { hex } from './lab-spans.ts'

/** Milliseconds between two censuses. */
export const censusMs = 30_000
const sweepMs = 5_000
/** Neighbours of a node; it dialled half of them. */
const neighbours = 8

/** A node without trouble, as its spans describe it. */
export interface IdleNode {
  readonly resource: Readonly<Record<string, SentValue>>
  /** Its start, and the links that it opens. */
  start(nowMs: number): readonly SentSpan[]
  /** What it emits between two censuses. */
  halfMinute(nowMs: number): readonly SentSpan[]
  /** The tenth failed attempt at a seed. */
  giveUp(nowMs: number): readonly SentSpan[]
}

/** `kind` and `status` as OTLP numbers them. */
const [client, server, error] = [3, 2, 2]

export function idleNode(mesh: string, name: string, random: Random): IdleNode {
  let [seq, censuses] = [0, 0]
  const peer = `12D3KooW${hex(random, 44)}`
  const traceId = hex(random, 32)
  const span = (
    spanName: SpanName,
    startMs: number,
    of: SentSpan['attributes'] = {},
    more: Partial<SentSpan> = {},
  ) => ({
    traceId,
    spanId: hex(random, 16),
    name: spanName,
    startMs,
    attributes: { 'mesh.seq': ++seq, ...of },
    ...more,
  })
  return {
    resource: {
      'service.name': mesh,
      'service.instance.id': hex(random, 32),
      'mesh.id': mesh,
      'mesh.node.name': name,
      'mesh.node.role': 'compute',
      'mesh.node.incarnation': 1,
      'mesh.peer.self': peer,
    },
    start: (now) => [
      span('mesh.node.started', now, { 'mesh.node.name': name, 'mesh.node.role': 'compute' }),
      ...Array.from({ length: neighbours }, (_, index) => [
        span('mesh.connection.opened', now, {}, { kind: index % 2 === 0 ? client : server, durationMs: 5 }),
        span('mesh.hello.received', now),
        span('mesh.member.joined', now),
      ]).flat(),
    ],
    halfMinute: (now) => {
      const minute = ++censuses % 2 === 0 ? [span('mesh.window', now, { 'mesh.window.seq': censuses / 2 })] : []
      const sweeps = Array.from({ length: censusMs / sweepMs }, (_, index) =>
        span('mesh.staleness.pruned', now - index * sweepMs, { 'mesh.pruned.count': 0 }),
      )
      const sizes = registries.map((registry) =>
        span(`mesh.audit.${registry}`, now, {
          'mesh.registry.name': registry,
          'mesh.registry.size': neighbours,
          'mesh.registry.capacity': 4_096,
        }),
      )
      return [...minute, ...sweeps, span('mesh.audit', now, censusOf(censuses, random)), ...sizes]
    },
    giveUp: (now) => [span('mesh.seed.giveup', now, {}, { kind: client, status: error, durationMs: 10_000 })],
  }
}

/** Every number of a census, and those that rules read as an idle node has them. */
function censusOf(count: number, random: Random): Readonly<Record<string, SentValue>> {
  const names = Object.keys(censusAttributes) as CensusAttribute[]
  const numbers = names.filter((name) => attributes[name].type === 'int' || attributes[name].type === 'double')
  return {
    ...Object.fromEntries(numbers.map((name) => [name, neighbours])),
    'mesh.audit.sweeps': (count * censusMs) / sweepMs,
    'mesh.audit.suspects': 0,
    'mesh.telemetry.lost_total': 0,
    'process.memory.usage': Math.floor(80 + 20 * random()) * 1_048_576,
    'process.cpu.time': count * 0.15,
  } satisfies Partial<Record<CensusAttribute, SentValue>>
}
