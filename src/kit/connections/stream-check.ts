import type { Connection, Stream } from '@libp2p/interface'
import type { Owner } from '../../core/owner.ts'
import { checkProtocol } from '../../core/stream-check.ts'

/** For the other side to close its end of the stream. */
const closeMs = 1_000

/**
 * Whether the other side lets a stream open within `limitMs`, for any protocol: an error but the limit counts as yes, since
 * it answered, or the connection has ended. Closes the stream, also when it opens late. Never rejects.
 */
export async function opensStream(connection: Connection, owner: Owner, limitMs: number): Promise<boolean> {
  if (owner.closed) return true
  const { promise: limit, resolve } = Promise.withResolvers<boolean>()
  const abort = new AbortController()
  const cancel = owner.after(limitMs, () => {
    resolve(false)
    // Over QUIC the wait goes on in spite of it.
    abort.abort()
  })
  const opened = connection.newStream(checkProtocol, { signal: abort.signal }).then(closeStream, () => {})
  const hasOpened = await Promise.race([opened.then(() => true), limit])
  cancel()
  return hasOpened
}

/** Closes it in order: over QUIC an aborted stream may stay half open at the other side. */
function closeStream(stream: Stream): void {
  stream.close({ signal: AbortSignal.timeout(closeMs) }).catch((error: Error) => stream.abort(error))
}
