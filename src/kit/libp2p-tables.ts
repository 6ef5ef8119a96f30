import type { PeerId } from '@libp2p/interface'
import type { CensusAttribute } from '../catalogue/census.ts'
import { type RecordStore, recordKeys } from './peer-store/peer-store-records.ts'

/** The components of libp2p whose tables the census counts. */
export interface TableComponents {
  readonly peerId: PeerId
  readonly datastore: RecordStore
  readonly connectionManager: object
  readonly registrar: object
  readonly addressManager: object
  readonly peerStore: object
}

/** Anything that has a size, or a path to it that may end early. */
type Parts = { readonly [name: string]: Parts | undefined } & {
  readonly size?: number
  readonly values?: () => Iterable<{ readonly size?: number }>
}

/** Tables whose entries libp2p adds for peers, dials and protocols; private members included. */
const tables = {
  'mesh.audit.dial_queue': (of) => sizeOf(of.connectionManager['dialQueue']?.['queue']),
  'mesh.audit.reconnects': (of) => sizeOf(of.connectionManager['reconnectQueue']?.['queue']),
  'mesh.audit.pending_in': (of) => numberOf(of.connectionManager['incomingPendingConnections']),
  'mesh.audit.pending_out': (of) => numberOf(of.connectionManager['outboundPendingConnections']),
  'mesh.audit.peer_locks': (of) => sizeOf(of.peerStore['store']?.['locks']),
  'mesh.audit.handlers': (of) => sizeOf(of.registrar['handlers']),
  'mesh.audit.topologies': (of) => sumOf(of.registrar['topologies']),
  'mesh.audit.observed_addresses': (of) => sizeOf(of.addressManager['observed']?.['addresses']),
} as const satisfies { readonly [N in CensusAttribute]?: (of: Components) => number | undefined }

type Components = { readonly [N in 'connectionManager' | 'registrar' | 'addressManager' | 'peerStore']: Parts }
type TableName = keyof typeof tables
const tableNames = Object.keys(tables) as TableName[]

export type Libp2pTables = { readonly [N in TableName | 'mesh.audit.peer_store']?: number }

/**
 * Sizes of libp2p's tables, in microseconds. One that this version of libp2p does not have is absent, and the start and
 * a test name it: only this file knows the private members.
 */
export async function readTables(components: TableComponents): Promise<Libp2pTables> {
  const sizes = tableNames.map((name) => [name, tables[name](components as unknown as Components)] as const)
  return {
    ...Object.fromEntries(sizes.filter(([, size]) => size !== undefined)),
    'mesh.audit.peer_store': (await recordKeys(components.datastore, components.peerId)).length,
  }
}

/** Names of the tables that this version of libp2p does not have. */
export function missingTables(components: TableComponents): readonly string[] {
  return tableNames.filter((name) => tables[name](components as unknown as Components) === undefined)
}

function sizeOf(table: Parts | undefined): number | undefined {
  return numberOf(table?.size)
}

function sumOf(tables: Parts | undefined): number | undefined {
  if (typeof tables?.values !== 'function') return undefined
  let sum = 0
  for (const { size = 0 } of tables.values()) sum += size
  return sum
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}
