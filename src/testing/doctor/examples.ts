import type { DiseaseName } from '../../doctor/diseases.ts'
import type { TraceSpan } from '../../traces/trace.ts'
import { Life } from './life.ts'
import { growing, mib, ProcessStory } from './process-story.ts'

/** Any of the two ways in which tests write spans down. */
type Story = { readonly spans: readonly TraceSpan[] }

const seed = '/ip4/10.0.0.1/udp/4001/quic-v1'
const others = ['node-1', 'node-2'] as const
/** A node whose censuses count something else than those of a clean one. */
const node = (countsAt: (seconds: number) => TraceSpan['attributes'], minutes = 20) =>
  new ProcessStory('node-3').censuses(minutes, countsAt)
const clean = (name: string) => new ProcessStory(name).censuses(20)
const neighbours = (lastS = 600, links = 2) => others.map((name) => new Life(name).censuses(5, lastS, links))

/** Findings about seeds and retries: what nodes say of their campaigns. */
const retries = {
  'duplicate-identity': () => {
    const conflict = {
      'mesh.peer.id': 'peer-node-3',
      'mesh.peer.name': 'node-3',
      'mesh.identity.addresses': ['/ip4/10.0.0.3/udp/4001/quic-v1', '/ip4/10.0.0.8/udp/4001/quic-v1'],
    }
    const copy = new Life('node-3', { instance: 'copy' })
    return [
      ...neighbours().map((life) => life.span('mesh.identity.conflict', 130, conflict)),
      new Life('node-3').censuses(5, 600, 2),
      copy.censuses(120, 600, 1).span('mesh.identity.conflict', 131, conflict),
    ]
  },
  'self-seed': () => {
    const self = new Life('node-3').campaign(0, seed)
    self.span('mesh.seed.self', 0, { 'mesh.seed.address': seed, 'mesh.seed.others': 0 }).censuses(5, 300, 0)
    return [self, ...neighbours(300)]
  },
  'wrong-identity': () => {
    const wrong = { stage: 'handshake', errorType: 'UnexpectedPeer' }
    return [new Life('node-3').failing(0, `${seed}/p2p/former-peer`, 10, wrong).censuses(5, 200, 0), ...neighbours(200)]
  },
  'seed-dialled-once': () => [
    new Life('node-3').failing(0, seed, 1).censuses(5, 200, 0, [`${seed} waiting 1 1/10 0`]),
    ...neighbours(200),
  ],
  'retry-not-rearmed': () => [
    new Life('node-3').failing(0, seed, 10).censuses(5, 320, 0, [`${seed} given-up 1 10/10 0`]),
    ...neighbours(320),
  ],
  'retry-storm': () =>
    ['node-1', 'node-2', 'node-3'].map((name) => new Life(name).failing(10, seed, 9).censuses(5, 160, 2)),
  'seed-unreachable': () => [
    new Life('node-3').failing(0, seed, 10, { stage: 'resolve', errorType: 'ENOTFOUND' }).censuses(5, 175, 1),
    ...neighbours(175),
  ],
  'unreachable-address': () => {
    const failure = {
      'mesh.peer.id': 'peer-node-3',
      'mesh.peer.name': 'node-3',
      'mesh.dial.stage': 'dial',
      'error.type': 'TimeoutError',
      'mesh.dial.addresses': ['/ip4/192.168.0.3/udp/4001/quic-v1'],
    }
    const dialler = (life: Life) => {
      for (const atS of [20, 60, 200]) life.span('mesh.member.dial_failed', atS, failure)
      return life
    }
    return [new Life('node-3').censuses(5, 600, 1), ...neighbours().map(dialler)]
  },
  'one-way-gossip': () => {
    const mute = { 'mesh.peer.id': 'peer-node-3', 'mesh.gossip.lack': 'no-inbound', 'mesh.gossip.heals': 3 }
    const complaining = neighbours().map((life) => life.span('mesh.gossip.mute', 60, mute))
    return [new Life('node-3').censuses(5, 600, 2), ...complaining]
  },
  'join-storm': () => {
    const limit = { 'mesh.limit.name': 'peers', 'mesh.limit.value': 6, 'mesh.limit.total': 18 }
    const joining = Array.from({ length: 12 }, (_, index) =>
      new Life(`node-${index + 4}`).span('mesh.node.started', 100 + index),
    )
    return [new Life('node-3').censuses(5, 300, 6).span('mesh.limit.reached', 113, limit), ...joining]
  },
  'clock-skew': () => {
    const skew = { 'mesh.peer.name': 'node-3', 'mesh.clock.skew_ms': 30_000 }
    return [
      new Life('node-3').censuses(5, 600, 2),
      ...neighbours().map((life) => life.span('mesh.clock.skewed', 20, skew)),
    ]
  },
  'starved-judge': () => {
    const life = new Life('node-3').censuses(5, 600, 2)
    for (const atS of [30, 160, 290]) life.span('mesh.node.stalled', atS, { 'mesh.stall.slept_ms': 9_000 })
    return [life, ...neighbours()]
  },
  alone: () => [new Life('node-3').censuses(5, 600, 0), ...neighbours()],
} satisfies Partial<Record<DiseaseName, () => readonly Story[]>>

/** Findings about counts: what the censuses of one node say. */
const leaks = {
  'incomplete-shutdown': () => {
    const report = {
      'mesh.stop.missing': ['gossip sweep'],
      'mesh.stop.held': ['timer of gossip sweep'],
      'mesh.stop.held_count': 1,
    }
    return [new ProcessStory('node-3').censuses(3).stop(200, report)]
  },
  'job-stopped': () => [node((s) => ({ 'mesh.audit.sweeps': Math.min(48, Math.floor(s / 5)) }))],
  'limits-off': () => [node((s) => ({ 'mesh.audit.limits': [`connections 0 ${Math.round(200 + s / 3)}/400`] }))],
  'link-left-open': () => {
    const story = node((s) => ({ 'mesh.audit.suspects': s < 95 ? 0 : 2 }))
    const pair = { 'mesh.invariant.ids': ['peer-of-node-1'] }
    for (const id of ['c1', 'c2'])
      story.span('mesh.audit.suspect', 95, {
        'mesh.connection.id': id,
        'mesh.suspect.reason': 'superseded-open',
        'mesh.suspect.change': 'appeared',
      })
    return [story.broken('one-link-per-pair', 'ledger', 95, 1_175, pair), clean('node-1')]
  },
  'gossip-ghosts': () => [node(() => ({})).broken('gossip-peers-connected', 'gossipsub', 95, 1_175)],
  'topics-left': () => {
    const topics = growing(20, 60)
    const tables = (s: number) => ({
      'mesh.audit.gossip.topics': 2 + topics(s),
      'mesh.audit.gossip.most_topics': 2 + topics(s),
      'mesh.audit.gossip.most_topics_peer': 'peer-of-node-3',
    })
    const own = (s: number) => ({
      'mesh.audit.gossip.subscriptions': 2 + topics(s),
      'mesh.audit.gossip.other_subscriptions': topics(s),
    })
    return [node(own), ...others.map((name) => new ProcessStory(name).censuses(20, tables))]
  },
  'peer-store-unswept': () => [
    node((s) => ({ 'mesh.audit.peer_store': 4 + Math.round(s / 4), 'mesh.audit.opened_total': 4 + Math.round(s / 4) })),
  ],
  'application-collection': () => [node((s) => ({ 'mesh.audit.applications': [`sessions ${growing(60, 120)(s)}`] }))],
  'registry-unswept': () => {
    const story = new ProcessStory('node-3')
    const added = growing(30)
    return [
      story.censuses(20, undefined, (s) =>
        story.registry('requests', s, 'node-3/requests', { size: added(s), added: added(s) }),
      ),
    ]
  },
  'streams-left': () => [node((s) => ({ 'mesh.audit.protocols': [`/chat/1.0.0 0 ${growing(30, 60)(s)} 0 900`] }))],
  'listeners-left': () => [
    node((s) => ({
      'mesh.audit.listeners': 27 + growing(30)(s),
      'mesh.audit.listeners_largest': 16 + growing(30)(s),
      'mesh.audit.listeners_largest_event': 'libp2p peer:connect',
    })),
  ],
  'timers-left': () => [node((s) => ({ 'mesh.audit.timers_unref': 16 + growing(60)(s) }))],
  'sockets-left': () => [node((s) => ({ 'mesh.audit.sockets_udp': 3 + growing(30)(s) }))],
  'descriptors-left': () => [node((s) => ({ 'mesh.audit.descriptors_file': growing(30)(s) }))],
  'owned-left': () => [node((s) => ({ 'mesh.audit.owned': [`node-3/network timer ${1 + growing(20)(s)}`] }))],
  'telemetry-lost': () => [
    node((s) => ({ 'mesh.telemetry.lost_total': s < 300 ? 0 : 40 })).span('mesh.telemetry.lost', 310, {
      'mesh.lost.count': 40,
      'mesh.lost.where': 'ring',
    }),
  ],
  'telemetry-growth': () => [node((s) => ({ 'mesh.telemetry.queued': 20 * s }))],
  'heap-growth': () => [
    node((s) => ({ 'mesh.memory.heap_floor': Math.round((38 + s / 60) * mib), 'mesh.audit.opened_total': s })).span(
      'mesh.heap.site',
      700,
      {
        'mesh.heap.trigger': 'heap-floor',
        'mesh.heap.bytes': 9 * mib,
        'mesh.heap.share': 0.8,
        ...codeAt('remember', 7),
      },
    ),
  ],
  'external-growth': () => [
    node((s) => ({ 'mesh.memory.external_floor': Math.round((12 + s / 30) * mib) })).span('mesh.heap.site', 700, {
      'mesh.heap.trigger': 'external-floor',
      'mesh.heap.bytes': 9 * mib,
      'mesh.heap.share': 0.7,
      ...codeAt('keepFrame', 31),
    }),
  ],
  'native-growth': () => [node((s) => ({ 'process.memory.usage': Math.round((136 + s / 8) * mib) }))],
  'growth-unknown': () => [node((s) => ({ 'mesh.audit.topologies': 9 + growing(12)(s) }))],
  'busy-alone': () => [
    node((s) => ({ 'mesh.audit.connections': 0, 'mesh.audit.links': 0, 'process.cpu.time': 0.9 * s }), 5),
  ],
} satisfies Partial<Record<DiseaseName, () => readonly Story[]>>

function codeAt(name: string, line: number): TraceSpan['attributes'] {
  return { 'code.function.name': name, 'code.file.path': '/app/cache.js', 'code.line.number': line }
}

const examples: Readonly<Record<DiseaseName, () => readonly Story[]>> = { ...retries, ...leaks }

/** The spans of a small mesh with one disease, as plain as a test of its rule has them. */
export function exampleOf(disease: DiseaseName): readonly TraceSpan[] {
  return examples[disease]().flatMap(({ spans }) => spans)
}
