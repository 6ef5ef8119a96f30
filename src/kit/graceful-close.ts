import { MeshError } from '../core/errors.ts'
import type { Clock } from '../core/machine.ts'
import type { Owner } from '../core/owner.ts'
import { type ConnectionRecord, isGossip } from './connections.ts'
import type { LinkStream } from './link-stream.ts'

/** After this a connection is aborted; libp2p's own close may wait for ever for a peer that does not read. */
export const closeLimitMs = 1_000
/** Of that, for the other side to read what we sent and close its side of the link stream. */
const flushMs = 500

/**
 * Closes a connection so that what was sent on its link stream arrives. QUIC's close discards what is still under way,
 * so our end of the stream is closed first, and the other side answers by closing its own.
 */
export function closeGracefully(record: ConnectionRecord, owner: Owner, clock: Clock): void {
  if (record.isClosing) return
  record.isClosing = true
  const { connection } = record
  // Timers of the adopted resource below, not of the owner: that would cancel them before it waits for this.
  const cancel = clock.after(closeLimitMs, () =>
    connection.abort(new MeshError('MESH_STEP_TIMEOUT', { step: 'closing a connection', ms: closeLimitMs })),
  )
  endGossip(record)
  const finished = (record.link === undefined ? Promise.resolve() : flush(record.link, clock))
    .then(() => connection.close({ signal: AbortSignal.timeout(closeLimitMs - flushMs) }))
    .catch((error: Error) => connection.abort(error))
    .finally(cancel)
  // Adopted, so that a stop waits for goodbyes on their way.
  const release = owner.adopt(`closing ${connection.id}`, () => finished, 2 * closeLimitMs)
  void finished.finally(() => release().catch(() => {}))
}

/**
 * Gossipsub takes a stream that breaks off for the loss of its peer, and forgets it with all its topics, whatever other
 * connections there are. One that ends in good order loses it nothing but that stream.
 */
function endGossip({ connection }: ConnectionRecord): void {
  for (const stream of connection.streams) {
    if (stream.direction === 'outbound' && isGossip(stream)) stream.close().catch(() => {})
  }
}

/** Ends the link stream alone, so that what was sent on it arrives; aborted when the other side does not end it too. */
export function endLink(link: LinkStream, owner: Owner, clock: Clock): void {
  const finished = flush(link, clock).then(() => link.abort(new Error('the other side did not end the link stream')))
  // Adopted, so that a stop waits for goodbyes on their way.
  const release = owner.adopt('ending a link stream', () => finished, 2 * flushMs)
  void finished.finally(() => release().catch(() => {}))
}

/** Closes our side and waits for the other side to close its own, for `flushMs` at most. */
async function flush(link: LinkStream, clock: Clock): Promise<void> {
  const timeout = Promise.withResolvers<void>()
  const cancel = clock.after(flushMs, timeout.resolve)
  await Promise.race([link.end().catch(() => {}), timeout.promise])
  cancel()
}
