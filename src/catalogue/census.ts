import type { AttributeSpec } from './attributes.ts'
import { closeReasons } from './bands.ts'
import { registrySizes } from './registries.ts'

type ClosedName = `mesh.audit.closed.${(typeof closeReasons)[number]}`

const closedByReason = Object.fromEntries(
  closeReasons.map((reason): [ClosedName, AttributeSpec] => [
    `mesh.audit.closed.${reason}`,
    { type: 'int', brief: `Connections closed so far with the reason "${reason}"; absent if none.` },
  ]),
) as { readonly [N in ClosedName]: AttributeSpec & { readonly type: 'int' } }

/** The connection ledger, by state. `opened_total` less `closed_total` is the sum of the five states. */
const ledger = {
  'mesh.audit.peers': { type: 'int', brief: 'Peers in the ledger.' },
  'mesh.audit.members': { type: 'int', brief: 'Members in the digest view.' },
  'mesh.audit.links': { type: 'int', brief: 'Links with a hello from both ends.' },
  'mesh.audit.guests': { type: 'int', brief: 'Links whose peer sends no hello.' },
  'mesh.audit.unsettled': { type: 'int', brief: 'Connections without a hello yet.' },
  'mesh.audit.draining': { type: 'int', brief: 'Connections that another link of their pair superseded.' },
  'mesh.audit.closing': { type: 'int', brief: 'Connections that are closing.' },
  'mesh.audit.opened_total': { type: 'int', brief: 'Connections that entered the ledger so far.' },
  'mesh.audit.closed_total': { type: 'int', brief: 'Connections that left the ledger so far.' },
  ...closedByReason,
  'mesh.audit.refused_total': { type: 'int', brief: 'Connections that the ledger refused so far.' },
  'mesh.audit.suspects': { type: 'int', brief: 'Connections that should be closed, those without a span included.' },
  'mesh.audit.connections': { type: 'int', brief: 'Open connections in libp2p, except those left to the application.' },
  'mesh.audit.frames_in': { type: 'int', brief: 'Frames received so far.' },
  'mesh.audit.frames_out': { type: 'int', brief: 'Frames sent so far.' },
  'mesh.audit.frames_refused': { type: 'int', brief: 'Refused frames and gossip digests so far.' },
  'mesh.audit.sweeps': { type: 'int', brief: 'Sweeps over the members so far.' },
  'mesh.audit.seeds': {
    type: 'string[]',
    brief: 'Each seed as `address state campaign attempt/attempts next_ms`; `next_ms` is - without a due attempt.',
  },
  'mesh.audit.owned': {
    type: 'string[]',
    brief: 'Held timers, resources and child owners, as `owner kind held`; the 32 largest.',
  },
  'mesh.audit.applications': { type: 'string[]', brief: 'Each collection of the application, as `name size`.' },
  'mesh.audit.adopted_total': { type: 'int', brief: 'Timers, resources, registries and child owners adopted so far.' },
  'mesh.audit.released_total': { type: 'int', brief: 'Those released so far.' },
} as const satisfies Readonly<Record<`mesh.audit.${string}`, AttributeSpec>>

/** Tables of libp2p, which the kit reads. */
const libp2p = {
  'mesh.audit.streams': { type: 'int', brief: 'Streams over all connections.' },
  'mesh.audit.gossip_peers': { type: 'int', brief: 'Peers in gossipsub.' },
  'mesh.audit.peer_store': { type: 'int', brief: 'Records in libp2p’s peer store.' },
} as const satisfies Readonly<Record<`mesh.audit.${string}`, AttributeSpec>>

const processUsage = {
  'mesh.audit.sockets': { type: 'int', brief: 'Sockets of the process.' },
  'mesh.audit.timers': { type: 'int', brief: 'Timers of the process.' },
  'process.memory.usage': { type: 'int', brief: 'Resident memory, bytes.' },
  'v8js.memory.heap.used': { type: 'int', brief: 'JavaScript heap in use, bytes.' },
  'process.cpu.time': { type: 'double', brief: 'CPU seconds of the process so far, user and system, all threads.' },
  'nodejs.eventloop.delay.p99': {
    type: 'double',
    brief: 'Event-loop delay since the last census, 99th percentile, seconds.',
  },
  'nodejs.eventloop.delay.max': { type: 'double', brief: 'Event-loop delay since the last census, longest, seconds.' },
} as const satisfies Readonly<Record<string, AttributeSpec>>

const telemetry = {
  'mesh.telemetry.queued': { type: 'int', brief: 'Spans in the export queue.' },
  'mesh.telemetry.lost_total': { type: 'int', brief: 'Spans lost since the start.' },
  'mesh.telemetry.sampled_out': { type: 'int', brief: 'Routine spans dropped by sampling since the start.' },
} as const satisfies Readonly<Record<`mesh.telemetry.${string}`, AttributeSpec>>

/**
 * Attributes of the census span `mesh.audit`, by the layer that is counted. All are optional: one is absent where its
 * layer does not exist, or could not be read. A source in `src/evidence` or `src/kit` has the value of each.
 */
export const censusAttributes = { ...ledger, ...libp2p, ...processUsage, ...telemetry, ...registrySizes } as const

export type CensusAttribute = keyof typeof censusAttributes
export const censusAttributeNames = Object.keys(censusAttributes) as CensusAttribute[]
