import type { Clock } from '../../core/machine.ts'
import type { TrustSource } from '../../kit/credentials/trust.ts'
import { type FileTrust, type Holder, readTrust, type TrustSettings } from './trust-files.ts'

/**
 * The trust of a node from its files, which it reads again each time: Kubernetes replaces them by swapping links. The
 * credentials that the node signs for itself stay the same until half of their day is over, or the secret changes.
 */
export function trustSource(settings: TrustSettings, holder: Holder, clock: Pick<Clock, 'wall'>): TrustSource {
  let signed: { readonly by: string; readonly own: readonly string[]; readonly renewAtMs: number } | undefined
  return {
    read: async () => {
      const trust = await readTrust(settings, holder, clock.wall())
      if (trust.renewAtMs === Number.POSITIVE_INFINITY) return trust
      const by = signersOf(trust)
      if (signed === undefined || signed.by !== by || clock.wall() >= signed.renewAtMs) signed = { ...trust, by }
      return { ...trust, own: signed.own }
    },
  }
}

/** Of several secrets the first signs, so their order counts. */
function signersOf({ authorities }: FileTrust): string {
  return authorities.map(({ id }) => id).join(' ')
}
