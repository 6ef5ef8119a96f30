import type { DiseaseName } from '../doctor/diseases.ts'
import type { Guide } from './guide.ts'

const alone = 'Why is this node alone?'
const overdue =
  'Take the last campaign of that seed. A working node has the next attempt within 1 to 30 s of each failure, and the next campaign within 30 s of a give-up without peers, five minutes with peers.'

/** How diseases of seeds, retries and the network look in Jaeger. */
export const retryGuides = {
  'duplicate-identity': {
    causedBy: [
      'a machine or container image that was copied with its key file',
      'two processes with one data directory',
    ],
    search: { span: 'mesh.identity.conflict' },
    attributes: ['mesh.peer.id', 'mesh.identity.addresses', 'mesh.identity.instances'],
    compare:
      'Both processes and each node that hears from both emit it. Compare `service.instance.id` of the spans with one `mesh.peer.self`: two ids whose times overlap are two processes, two that follow each other are a restart.',
    alerts: ['MeshIdentityConflict'],
    section: 'Do two machines use one key?',
  },
  'self-seed': {
    causedBy: [
      'one MESH_SEEDS for all nodes where this node is the only seed',
      'a name that resolves to the node itself',
    ],
    search: { span: 'mesh.seed.self' },
    attributes: ['mesh.seed.address', 'mesh.seed.others'],
    compare: 'The node emits it once per seed. With `mesh.seed.others` 0 it has no other seed to join by.',
    alerts: ['MeshNodeAlone'],
    section: alone,
  },
  'wrong-identity': {
    causedBy: [
      'a seed that got a new key, such as after the loss of its volume',
      'an address that another node has now',
    ],
    search: { span: 'mesh.seed.retry', tags: { 'mesh.dial.stage': 'handshake' } },
    attributes: ['mesh.seed.address', 'error.type', 'mesh.error.message'],
    compare:
      '`error.type` is the same at every attempt, and `mesh.error.message` names the peer that answered. Compare it with the end of `mesh.seed.address`, after `/p2p/`.',
    alerts: ['MeshSeedRetrying', 'MeshSeedGiveup'],
    section: alone,
  },
  'seed-dialled-once': {
    causedBy: ['an attempt whose failure never reached the retry logic', 'an exception in the job that dials seeds'],
    search: { span: 'mesh.seed.dial' },
    attributes: ['mesh.seed.address', 'mesh.seed.campaign', 'mesh.seed.cause'],
    compare: `${overdue} Here the campaign has one attempt, which failed or has no result; \`mesh.audit.seeds\` of later censuses shows the same attempt as overdue.`,
    alerts: ['MeshNodeAlone'],
    section: alone,
  },
  'retry-not-rearmed': {
    causedBy: ['a give-up after which nothing schedules the next campaign', 'a lost peer that begins no campaign'],
    search: { span: 'mesh.seed.giveup' },
    attributes: ['mesh.seed.address', 'mesh.seed.attempt', 'mesh.seed.attempts'],
    compare: `${overdue} Here no \`mesh.seed.rearmed\` links to the campaign that ended.`,
    alerts: ['MeshSeedGiveup', 'MeshNodeAlone'],
    section: alone,
  },
  'retry-storm': {
    causedBy: [
      'a seed of many nodes that is gone',
      'a name server, firewall or deployment that is wrong for all of them',
      'a node whose delays between attempts do not grow',
    ],
    search: { span: 'mesh.seed.retry' },
    attributes: ['mesh.seed.address', 'mesh.dial.stage', 'error.type', 'mesh.seed.delay_ms'],
    compare:
      'The campaigns of several nodes, by a search without a node: the value that all of them share is the cause. Of one node, the starts of its attempts: 1, 2, 4, 8, 16 and 30 s lie between them, less up to a half.',
    alerts: ['MeshRetryStorm', 'MeshSeedRetrying'],
    section: 'Why do many nodes retry at once?',
  },
  'seed-unreachable': {
    causedBy: ['a seed that does not run', 'a wrong address or name', 'a firewall or a route between the two'],
    search: { span: 'mesh.seed.giveup' },
    attributes: ['mesh.seed.address', 'mesh.dial.stage', 'error.type', 'mesh.seed.addresses'],
    compare:
      'All attempts of the campaign end at the same `mesh.dial.stage`: `resolve` is the name, `dial` the host, its port or the path, `handshake` what listens there. Another node that has `mesh.seed.connected` for the same address shows that the seed is up.',
    alerts: ['MeshSeedRetrying', 'MeshSeedGiveup'],
    section: alone,
  },
  'unreachable-address': {
    causedBy: ['a NAT that maps no port', 'a firewall before the node', 'a MESH_ANNOUNCE that is wrong'],
    search: { span: 'mesh.member.dial_failed' },
    attributes: ['mesh.peer.name', 'mesh.dial.addresses', 'mesh.dial.stage', 'error.type'],
    compare:
      'Several nodes name the same `mesh.peer.name`, and none has an outbound `mesh.connection.opened` to it. Compare `mesh.dial.addresses` with `mesh.address.announced` in the last `mesh.address.changed` of that node.',
    section: 'At which address do others dial this node?',
  },
  'one-way-gossip': {
    causedBy: [
      'other pubsub settings or another version at one end',
      'a gossip stream that one end has and the other one does not',
    ],
    search: { span: 'mesh.gossip.mute' },
    attributes: ['mesh.peer.id', 'mesh.gossip.lack', 'mesh.gossip.heals'],
    compare:
      'The peer that several nodes name is at fault; a node that names several peers is at fault itself. `mesh.gossip.healed` with the same peer afterwards ends it.',
    section: 'Why does this node abort a connection that looks healthy?',
  },
  'join-storm': {
    causedBy: ['a deployment that starts all nodes at once', 'the end of an outage of the network', 'too few seeds'],
    search: { span: 'mesh.limit.reached' },
    attributes: ['mesh.limit.name', 'mesh.limit.value', 'mesh.limit.total', 'mesh.limit.setting'],
    compare:
      'Count the `mesh.node.started` of the minute before it, or the inbound `mesh.connection.opened` of the node: ten and more peers within a minute are a storm. The limit is `peers`, `inboundRate` or another one of connections.',
    alerts: ['MeshLimitReached'],
    section: 'Why can no peer connect?',
  },
  'clock-skew': {
    causedBy: ['a machine without time synchronization', 'a virtual machine that was suspended'],
    search: { span: 'mesh.clock.skewed' },
    attributes: ['mesh.peer.name', 'mesh.clock.skew_ms', 'mesh.clock.allowed_ms'],
    compare:
      'One `mesh.peer.name` in the spans of many nodes: that clock is wrong. Many names in the spans of one node: its own clock is wrong.',
    alerts: ['MeshClockSkewed'],
    section: 'Whose clock is wrong?',
  },
  'starved-judge': {
    causedBy: ['a container with too little CPU', 'more work on the machine than it has cores', 'a laptop that sleeps'],
    search: { span: 'mesh.node.stalled' },
    attributes: ['mesh.stall.slept_ms', 'mesh.stall.suspended_ms'],
    compare:
      'The times of this span at the nodes of one `host.id`: at the same time on all of them, the machine is at fault. `mesh.staleness.pruned` with `mesh.pruned.suspended` right after it expired no member.',
    alerts: ['MeshNodeStalled'],
    section: 'Why is this node silent?',
  },
  alone: {
    causedBy: ['no seed in MESH_SEEDS', 'another mesh id than that of the others', 'seeds that cannot be reached'],
    search: { span: 'mesh.audit', tags: { 'mesh.audit.links': '0' } },
    attributes: ['mesh.audit.links', 'mesh.audit.guests', 'mesh.audit.seeds'],
    compare:
      '`mesh.audit.links` is 0 at each census since then, while other nodes of the mesh have links. `mesh.audit.seeds` says whether the node has a seed and what it does about it; `mesh.link.refused` names another mesh.',
    alerts: ['MeshNodeAlone'],
    section: alone,
  },
} as const satisfies Readonly<Partial<Record<DiseaseName, Guide>>>
