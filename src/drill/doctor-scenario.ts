import { randomBytes } from 'node:crypto'
import type { SpanName } from '../catalogue/spans.ts'
import { startMesh } from './fault-scenarios.ts'
import type { Scenario } from './scenario.ts'

/** Long enough for the doctor to judge a mesh, in seconds; a census every half minute. */
const [lengthS, censusS] = [300, 30]

/** The command itself finds a fault in a file, so that the drill needs no trace store. */
export const doctorScenario: Scenario = {
  name: 'doctor',
  alerts: ['MeshDoctorFinding'],
  description: 'the doctor diagnoses spans of two nodes, of which one has itself as a seed, and emits its finding',
  size: 2,
  condition: (stage) => {
    const { mesh } = stage
    return {
      prepare: () => startMesh(stage),
      cause: async (caused) => {
        await mesh.diagnose(selfSeedSpans(mesh.id, Date.now()))
        caused('MeshDoctorFinding')
      },
      heal: async () => {},
    }
  },
}

type Attributes = Readonly<Record<string, string | number>>

/** A line of OTLP in JSON, as the Collector writes it: what the nodes emitted within the last minutes. */
export function selfSeedSpans(mesh: string, nowMs: number): string {
  const fromMs = nowMs - 1_000 * lengthS
  const address = '/dns4/seed.example.org/udp/4001/quic-v1'
  const stated = { name: 'mesh.seed.self', atMs: fromMs, attributes: { 'mesh.seed.address': address } } as const
  const censuses = Array.from({ length: lengthS / censusS }, (_, index) => ({
    name: 'mesh.audit' as const,
    atMs: fromMs + 1_000 * (5 + censusS * index),
    attributes: { 'mesh.audit.links': 1, 'mesh.audit.opened_total': 1 },
  }))
  const nodes = [processOf(mesh, `${mesh}-1`, censuses), processOf(mesh, `${mesh}-2`, [stated, ...censuses])]
  return `${JSON.stringify({ resourceSpans: nodes })}\n`
}

interface Emitted {
  readonly name: SpanName
  readonly atMs: number
  readonly attributes: Attributes
}

function processOf(mesh: string, node: string, spans: readonly Emitted[]): object {
  const resource = {
    'service.name': mesh,
    'service.instance.id': `${node} of a drill`,
    'mesh.id': mesh,
    'mesh.node.name': node,
    'mesh.node.role': 'compute',
    'mesh.peer.self': `peer of ${node}`,
  }
  const otlpSpans = spans.map(({ name, atMs, attributes }, index) => ({
    traceId: randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    name,
    startTimeUnixNano: `${Math.round(atMs)}000000`,
    endTimeUnixNano: `${Math.round(atMs)}000000`,
    attributes: pairs({ 'mesh.seq': index + 1, ...attributes }),
  }))
  return { resource: { attributes: pairs(resource) }, scopeSpans: [{ spans: otlpSpans }] }
}

function pairs(values: Attributes): object[] {
  return Object.entries(values).map(([key, value]) => ({
    key,
    value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value },
  }))
}
