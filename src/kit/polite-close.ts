import { MeshError } from '../core/errors.ts'
import type { Owner } from '../core/owner.ts'
import type { ConnectionRecord } from './connections.ts'

/** After this a connection is aborted; libp2p's own close may wait for ever for a peer that does not read. */
export const closeLimitMs = 1_000
/** Of that, for the other side to read what we sent and close its side of the link stream. */
const flushMs = 500

/**
 * Closes a connection so that what was sent on its link stream arrives. QUIC's close discards what is still under way,
 * so our end of the stream is closed first, and the other side answers by closing its own.
 */
export function closePolitely(record: ConnectionRecord, owner: Owner): void {
  if (record.closing) return
  record.closing = true
  const { connection } = record
  const cancel = owner.after(closeLimitMs, () =>
    connection.abort(new MeshError('MESH_STEP_TIMEOUT', { step: 'closing a connection', ms: closeLimitMs })),
  )
  const done = flush(record, owner)
    .then(() => connection.close({ signal: AbortSignal.timeout(closeLimitMs - flushMs) }))
    .catch((error: Error) => connection.abort(error))
    .finally(cancel)
  // Adopted, so that a stop waits for goodbyes on their way.
  const release = owner.adopt(`closing ${connection.id}`, () => done, closeLimitMs)
  void done.finally(() => void release())
}

async function flush({ link }: ConnectionRecord, owner: Owner): Promise<void> {
  if (link === undefined) return
  const waited = Promise.withResolvers<void>()
  const cancel = owner.after(flushMs, waited.resolve)
  await Promise.race([link.end().catch(() => {}), waited.promise])
  cancel()
}
