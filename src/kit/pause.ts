import type { Owner } from '../core/owner.ts'

/** Waits on the owner's clock, in milliseconds. Ends early when the owner closes, which cancels its timers. */
export function pause(owner: Owner, ms: number): Promise<void> {
  if (owner.closed) return Promise.resolve()
  const { promise, resolve } = Promise.withResolvers<void>()
  const wake = () => {
    owner.signal.removeEventListener('abort', wake)
    resolve()
  }
  owner.signal.addEventListener('abort', wake)
  owner.after(ms, wake)
  return promise
}
