import type { SpanName } from '../../catalogue/spans.ts'
import type { Coverage, Evidence } from '../../doctor/evidence/evidence.ts'
import { EvidenceFold } from '../../doctor/evidence/fold.ts'
import type { TraceSpan } from '../../traces/trace.ts'

type Attributes = TraceSpan['attributes']

/** Seconds of the first census, and from one to the next. */
const [firstS, intervalS] = [5, 30]
/** Unix milliseconds at which the stories begin. */
export const beginMs = 1_800_000_000_000

/** Connections of a node, and those that came and went before. */
export interface Load {
  readonly connections?: number
  readonly churn?: number
}

/** What a clean node counts with so many connections, as measured. */
export function cleanCounts({ connections = 4, churn = 0 }: Load = {}): Attributes {
  return {
    'mesh.audit.verdict': 'consistent',
    'mesh.audit.cause': 'periodic',
    'mesh.audit.peers': connections,
    'mesh.audit.members': connections,
    'mesh.audit.links': connections,
    'mesh.audit.guests': 0,
    'mesh.audit.unsettled': 0,
    'mesh.audit.draining': 0,
    'mesh.audit.closing': 0,
    'mesh.audit.opened_total': connections + churn,
    'mesh.audit.closed_total': churn,
    'mesh.audit.connections': connections,
    'mesh.audit.suspects': 0,
    'mesh.audit.limits': [`connections 0 ${connections}/400`, 'linksPerPeer 0 1/6'],
    'mesh.audit.owned': ['node resource 12', 'node/network resource 6', 'node timer 5', 'node owner 2'],
    'mesh.audit.streams': 3 * connections,
    'mesh.audit.streams_half_closed': 0,
    'mesh.audit.protocols': [
      `/meshsub/1.2.0 ${connections} ${connections} 0 60`,
      `/tracemesh/link/1.0.0 ${connections} 1 0 60`,
    ],
    'mesh.audit.peer_store': connections,
    'mesh.audit.timers': 11 + Math.round(connections / 4),
    'mesh.audit.timers_unref': 4 + 3 * connections,
    'mesh.audit.handlers': 7,
    'mesh.audit.listeners': 27,
    'mesh.audit.listeners_signals': 16,
    'mesh.audit.listeners_connections': 28 * connections,
    'mesh.audit.listeners_largest': 16,
    'mesh.audit.listeners_largest_event': 'libp2p peer:identify',
    'mesh.audit.sockets': 11,
    'mesh.audit.sockets_udp': 3,
    'mesh.audit.sockets_tcp': 2,
    'mesh.audit.sockets_unix': 6,
    'process.unix.file_descriptor.count': 34,
    'mesh.audit.descriptors_file': 0,
    'mesh.audit.descriptors_pipe': 9,
    'mesh.audit.descriptors_other': 14,
    'mesh.audit.gossip_peers': connections,
    'mesh.audit.gossip.subscriptions': 2,
    'mesh.audit.gossip.other_subscriptions': 0,
    'mesh.audit.gossip.topics': 2,
    'mesh.audit.gossip.most_topics': 2,
    'mesh.audit.gossip.ghosts': 0,
    'mesh.audit.gossip.swept_total': 0,
    'nodejs.eventloop.delay.max': 0.02,
    'mesh.telemetry.queued': 10,
    'mesh.telemetry.lost_total': 0,
    'mesh.telemetry.sampled_out': 0,
  }
}

/** What rises with the time by itself. */
function cleanTimes(seconds: number): Attributes {
  return {
    'mesh.audit.sweeps': Math.floor(seconds / 5),
    'process.cpu.time': 3 + 0.04 * seconds,
    'process.memory.usage': 136 * mib,
    'v8js.memory.heap.used': 42 * mib,
    'mesh.memory.external': 12 * mib,
    'mesh.memory.major_gcs_total': 1 + Math.floor(seconds / 45),
    'mesh.memory.heap_floor': 37 * mib,
    'mesh.memory.external_floor': 12 * mib,
  }
}

export const mib = 1_048_576

export interface ProcessOptions {
  readonly mesh?: string
  readonly peer?: string
  /** Id of the process; by default one for each node. */
  readonly instance?: string
  /** Seconds from the begin of all stories to that of this one. */
  readonly beginS?: number
}

/** The spans of one process, written down by a test. Times are seconds since the story began. */
export class ProcessStory {
  readonly node: string
  readonly peer: string
  readonly instance: string
  readonly #mesh: string
  readonly #beginS: number
  readonly #spans: TraceSpan[] = []

  constructor(node: string, options: ProcessOptions = {}) {
    const { mesh = 'mesh-a', peer = `peer-of-${node}`, instance = node, beginS = 0 } = options
    this.node = node
    this.peer = peer
    this.instance = instance
    this.#mesh = mesh
    this.#beginS = beginS
  }

  get spans(): readonly TraceSpan[] {
    return this.#spans
  }

  /** Adds a span with the next `mesh.seq`. */
  span(name: SpanName, atS: number, attributes: Attributes = {}): this {
    const seq = this.#spans.length + 1
    this.#spans.push({
      traceId: Buffer.from(`${this.instance} ${seq}`).toString('hex').slice(-32).padStart(32, '0'),
      spanId: String(seq).padStart(16, '0'),
      parentSpanId: '',
      name,
      service: this.#mesh,
      kind: 'internal',
      startMs: beginMs + 1_000 * (this.#beginS + atS),
      durationMs: 0,
      attributes: { 'mesh.seq': seq, ...attributes },
      resource: {
        'service.instance.id': this.instance,
        'mesh.node.name': this.node,
        'mesh.peer.self': this.peer,
      },
      scope: { name: 'tracemesh', version: '' },
      links: [],
      status: 'unset',
    })
    return this
  }

  /** A census of a clean node with these counts in place of its own. */
  census(atS: number, counts: Attributes = {}): this {
    return this.span('mesh.audit', atS, { ...cleanCounts(), ...cleanTimes(atS), ...counts })
  }

  /** A broken invariant, as every census from a second on to another one says. */
  broken(invariant: string, owner: string, fromS: number, toS: number, more: Attributes = {}): this {
    for (let atS = fromS; atS <= toS; atS += intervalS) {
      this.span('mesh.leak.suspected', atS, {
        'mesh.invariant': invariant,
        'mesh.invariant.owner': owner,
        'mesh.expected': 1,
        'mesh.actual': 3,
        'mesh.invariant.broken_ms': 1_000 * (atS - fromS),
        'mesh.invariant.ids': [],
        ...more,
      })
    }
    return this
  }

  /** All censuses of a life; `countsAt` gets their seconds. `after` adds further spans of each. */
  censuses(
    minutes: number,
    countsAt: (seconds: number) => Attributes = () => ({}),
    after: (seconds: number) => void = () => {},
  ): this {
    for (let atS = firstS; atS <= 60 * minutes; atS += intervalS) {
      this.census(atS, countsAt(atS))
      after(atS)
    }
    return this
  }

  /** A complete stop, with what its report says otherwise. */
  stop(atS: number, report: Attributes = {}): this {
    this.span('mesh.audit', atS, { ...cleanCounts({ connections: 0 }), 'mesh.audit.cause': 'stopped' })
    return this.span('mesh.node.stopped', atS, {
      'mesh.node.uptime_ms': 1_000 * atS,
      'mesh.node.stop_cause': 'SIGTERM',
      'mesh.stop.duration_ms': 400,
      'mesh.stop.expected': ['libp2p'],
      'mesh.stop.run': ['libp2p'],
      'mesh.stop.missing': [],
      'mesh.stop.failed': [],
      'mesh.stop.held': [],
      'mesh.stop.held_count': 0,
      'mesh.stop.left': ['Timeout (6)', 'fd socket (3)'],
      ...report,
    })
  }

  /** The span of a registry; what it counts besides is 0. */
  registry(name: string, atS: number, owner: string, counts: Readonly<Record<string, number>>): this {
    const zero = { size: 0, added: 0, released: 0, replaced: 0, removed: 0, expired: 0, evicted: 0, closed: 0 }
    const numbers = Object.entries({ ...zero, ...counts }).map(([key, count]) => [`mesh.registry.${key}`, count])
    return this.span(`mesh.audit.${name}` as SpanName, atS, {
      'mesh.registry.name': name,
      'mesh.registry.owner': owner,
      ...Object.fromEntries(numbers),
    })
  }
}

/** One process with all censuses of ten minutes, or of so many. */
export function processWith(countsAt: (seconds: number) => Attributes, minutes = 10): ProcessStory {
  return new ProcessStory('node-1').censuses(minutes, countsAt)
}

/** All spans were asked for. */
export const complete: Coverage = { complete: true, partial: [] }

export function evidenceOf(stories: readonly ProcessStory[], coverage = complete): Evidence {
  const fold = new EvidenceFold()
  for (const { spans } of stories) for (const span of spans) fold.add(span)
  return fold.evidence(coverage)
}

/** 0 until a second, and from then on `perMinute` more each minute. */
export function growing(perMinute: number, fromS = 0): (seconds: number) => number {
  return (seconds) => Math.round((Math.max(0, seconds - fromS) * perMinute) / 60)
}
