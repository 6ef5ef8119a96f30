import type { Connection, Stream } from '@libp2p/interface'
import type { CensusPart } from '../../evidence/census.ts'

/** Protocols of `mesh.audit.protocols`. */
const maxProtocols = 16
const maxProtocolLength = 128

type CountedStream = Pick<
  Stream,
  'protocol' | 'direction' | 'status' | 'writeStatus' | 'remoteWriteStatus' | 'timeline'
>

/** Counts the streams of all connections by protocol. `wall`: Unix milliseconds. */
export function streamEvidence(connections: readonly Pick<Connection, 'streams'>[], wall: number): CensusPart {
  const streams: readonly CountedStream[] = connections.flatMap((connection) => connection.streams)
  const byProtocol = [...Map.groupBy(streams, ({ protocol }) => protocol)]
  const largest = byProtocol.toSorted(([, a], [, b]) => b.length - a.length).slice(0, maxProtocols)
  return {
    attributes: {
      'mesh.audit.streams': streams.length,
      'mesh.audit.streams_half_closed': streams.filter(isHalfClosed).length,
      'mesh.audit.protocols': largest.map(([protocol, some]) => lineOf(protocol, some, wall)),
    },
  }
}

function lineOf(protocol: string, streams: readonly CountedStream[], wall: number): string {
  const inbound = streams.filter(({ direction }) => direction === 'inbound').length
  const opened = Math.min(...streams.map(({ timeline }) => timeline.open))
  const counts = [inbound, streams.length - inbound, streams.filter(isHalfClosed).length]
  const oldest = Math.max(0, Math.round((wall - opened) / 1_000))
  return [protocol.slice(0, maxProtocolLength) || '-', ...counts, oldest].join(' ')
}

/** One side has ended its direction, and the other one has not. */
function isHalfClosed({ status, writeStatus, remoteWriteStatus }: CountedStream): boolean {
  return status === 'open' && (writeStatus === 'writable') !== (remoteWriteStatus === 'writable')
}
