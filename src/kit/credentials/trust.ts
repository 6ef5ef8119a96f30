import type { Authority } from './authority.ts'

/** Whose credentials count, what the node shows itself, and what has been withdrawn. */
export interface Trust {
  readonly authorities: readonly Authority[]
  /** Tokens of the own credentials, one per mesh. */
  readonly own: readonly string[]
  /** Signed list of revocations, if there is one. */
  readonly revocations?: string | undefined
}

/** Where the trust of a node comes from: files that may change, or fixed values. */
export interface TrustSource {
  /** @throws MESH_AUTHORITY_UNUSABLE, MESH_CREDENTIAL_UNUSABLE or MESH_SECRET_UNUSABLE */
  read(): Promise<Trust>
}
