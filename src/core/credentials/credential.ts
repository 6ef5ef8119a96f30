import type { credentialCauses } from '../../catalogue/bands.ts'
import type { Role } from '../../catalogue/roles.ts'

/** An authority says: this peer belongs to this mesh, in these roles, for this time. */
export interface Credential {
  /** Key id of the authority that signed it. */
  readonly authority: string
  readonly peer: string
  readonly mesh: string
  readonly roles: readonly Role[]
  /** Unix milliseconds, whole seconds. */
  readonly notBeforeMs: number
  readonly expiresMs: number
  /** Unique per authority; revocations name it. */
  readonly id: string
}

/** What a peer claims, and has to prove by a credential. */
export interface Claim {
  /** The identity that the connection, or the signature of a message, has proved. */
  readonly peer: string
  readonly mesh: string
  readonly role: Role
}

export type CredentialCause = (typeof credentialCauses)[number]

/** What the credentials of a peer prove; or why they do not prove all that it claims. */
export type Proof =
  | { readonly credentials: readonly Credential[]; readonly cause?: undefined }
  | { readonly credentials?: undefined; readonly cause: CredentialCause }

/**
 * Tolerated difference of the clocks of an authority and of a node, in milliseconds. Wide, since a node with a wrong
 * clock is a fault that traces show, and not an attack; a credential of a day is valid for it in any case.
 */
export const clockToleranceMs = 2 * 3_600_000

/** Why a credential does not prove a claim; undefined if it does. Its signature has been verified. */
export function findFlaw(
  credential: Credential,
  claim: Claim,
  wallMs: number,
  isRevoked: (credential: Credential) => boolean,
): CredentialCause | undefined {
  if (credential.peer !== claim.peer) return 'other-peer'
  if (credential.mesh !== claim.mesh) return 'other-mesh'
  if (isRevoked(credential)) return 'revoked'
  if (wallMs < credential.notBeforeMs - clockToleranceMs) return 'too-early'
  if (wallMs >= credential.expiresMs + clockToleranceMs) return 'expired'
  return isGranted(claim.role, credential) ? undefined : 'role'
}

/** A seed without the role is a plain member: being a seed gives no right that other members lack. */
function isGranted(role: Role, { roles }: Credential): boolean {
  return role === 'seed' ? roles.length > 0 : roles.includes(role)
}
