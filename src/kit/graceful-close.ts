import { MeshError } from '../core/errors.ts'
import type { Clock } from '../core/machine.ts'
import type { Owner } from '../core/owner.ts'
import { type ConnectionRecord, isGossip } from './connections.ts'
import type { LinkStream } from './link-streams.ts'

/** After this it aborts the connection; libp2p's own close may wait forever for a peer that does not read. */
export const closeLimitMs = 1_000
/** Part of that limit for the other side to read our data and close its side of the link stream. */
const flushMs = 500

/**
 * Closes a connection after the data of its link stream has arrived. QUIC's close discards data in flight, so this
 * closes our end of the stream first, and the other side answers by closing its own.
 */
export function closeGracefully(record: ConnectionRecord, owner: Owner, clock: Clock): void {
  if (record.isClosing) return
  record.isClosing = true
  const { connection } = record
  // A timer of the clock, not of the owner, which would cancel it before it waits for the resource below.
  const cancel = clock.after(closeLimitMs, () =>
    connection.abort(new MeshError('MESH_STEP_TIMEOUT', { step: 'closing a connection', ms: closeLimitMs })),
  )
  endGossip(record)
  const closing = (record.link === undefined ? Promise.resolve() : flush(record.link, clock))
    .then(() => connection.close({ signal: AbortSignal.timeout(closeLimitMs - flushMs) }))
    .catch((error: Error) => connection.abort(error))
    .finally(cancel)
  // The owner adopts it, so that a stop waits for goodbyes in flight.
  const release = owner.adopt(`closing ${connection.id}`, () => closing, 2 * closeLimitMs)
  void closing.finally(() => release().catch(() => {}))
}

/**
 * When a stream is reset, gossipsub removes the peer with all its topics, even if other connections exist. When it
 * closes in order, gossipsub loses only that stream.
 */
function endGossip({ connection }: ConnectionRecord): void {
  for (const stream of connection.streams) {
    if (stream.direction === 'outbound' && isGossip(stream)) stream.close().catch(() => {})
  }
}

/** Ends only the link stream, after its data has arrived; aborts it if the other side does not end it too. */
export function endLink(link: LinkStream, owner: Owner, clock: Clock): void {
  const closing = flush(link, clock).then(() => link.abort(new Error('the other side did not end the link stream')))
  // The owner adopts it, so that a stop waits for goodbyes in flight.
  const release = owner.adopt('ending a link stream', () => closing, 2 * flushMs)
  void closing.finally(() => release().catch(() => {}))
}

/** Closes our side and waits for the other side to close its own, for `flushMs` at most. */
async function flush(link: LinkStream, clock: Clock): Promise<void> {
  const timeout = Promise.withResolvers<void>()
  const cancel = clock.after(flushMs, timeout.resolve)
  await Promise.race([link.end().catch(() => {}), timeout.promise])
  cancel()
}
