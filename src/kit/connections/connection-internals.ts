import type { Connection, MultiaddrConnection, StreamMuxer } from '@libp2p/interface'

/**
 * The private members of js-libp2p's connection that the limits use. Only this file names them; a test checks them for
 * each transport, so another version of libp2p fails visibly.
 */
export interface ConnectionInternals {
  readonly maConn: MultiaddrConnection
  readonly muxer: StreamMuxer
}

/** The connection's private members; undefined if any is missing. */
export function connectionInternals(connection: Connection): ConnectionInternals | undefined {
  const { maConn, muxer } = connection as unknown as Partial<ConnectionInternals>
  const fits =
    typeof maConn?.addEventListener === 'function' &&
    typeof muxer?.addEventListener === 'function' &&
    typeof muxer.createStream === 'function' &&
    Array.isArray(muxer.streams)
  return fits ? { maConn, muxer } : undefined
}
