import type { Role } from '../../catalogue/roles.ts'
import type { Clock } from '../../core/machine.ts'
import { signCredential } from '../../kit/credentials/credential-token.ts'
import type { TrustSource } from '../../kit/credentials/trust.ts'
import { type FileTrust, newId, readTrust, type TrustSettings } from './trust-files.ts'

/** What a node that signs for itself says. */
export interface Holder {
  readonly peer: string
  readonly meshes: readonly string[]
  readonly role: Role
}

const dayMs = 86_400_000
/** A clock may be behind that of the node which signs. */
const backdateMs = 60_000

/**
 * The trust of a node from its files, which it reads again each time: Kubernetes replaces them by swapping links. What the
 * node signs for itself holds for a day, and stays the same until half of it is over, or until the secret changes.
 */
export function trustSource(settings: TrustSettings, holder: Holder, clock: Pick<Clock, 'wall'>): TrustSource {
  let signed: { readonly by: string; readonly own: readonly string[]; readonly renewAtMs: number } | undefined
  return {
    read: async () => {
      const trust = await readTrust(settings, holder.meshes)
      if (trust.signers.length === 0) return trust
      const by = trust.signers.map(({ authority }) => authority.id).join(' ')
      const wallMs = clock.wall()
      if (signed === undefined || signed.by !== by || wallMs >= signed.renewAtMs)
        signed = { by, own: await sign(trust, holder, wallMs), renewAtMs: wallMs + dayMs / 2 }
      return { ...trust, own: signed.own }
    },
  }
}

function sign({ signers }: FileTrust, { peer, role }: Holder, wallMs: number): Promise<string[]> {
  const times = { notBeforeMs: wallMs - backdateMs, expiresMs: wallMs + dayMs }
  return Promise.all(
    signers.map(({ mesh, authority }) =>
      signCredential({ peer, mesh, roles: [role], ...times, id: newId() }, authority),
    ),
  )
}
