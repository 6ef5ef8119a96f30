import {
  type Claim,
  type Credential,
  type CredentialCause,
  findFlaw,
  type Proof,
} from '../../core/credentials/credential.ts'
import { Revocations } from '../../core/credentials/revocations.ts'
import { limits } from '../../core/limits.ts'
import type { Clock } from '../../core/machine.ts'
import type { OwnedMap } from '../../core/owned-map.ts'
import type { Owner } from '../../core/owner.ts'
import type { Authority } from './authority.ts'
import { type ReadCredential, readCredential } from './credential-token.ts'

export interface CredentialCheckerOptions {
  readonly owner: Owner
  readonly clock: Clock
}

/** A bridge has one per mesh, of which this node may know the authority of one alone. */
const maxTokens = 2
/** A token that nobody has shown for this long is verified again. */
const cachedMs = 600_000

/**
 * Checks what peers claim against their credentials. The signature of each token is verified once; its times, and
 * whether it has been revoked, at each check.
 */
export class CredentialChecker {
  readonly revocations = new Revocations()
  readonly #owner: Owner
  readonly #clock: Clock
  /** Only of tokens with a valid signature: junk is cheap to refuse, and must not push these out. */
  readonly #verified: OwnedMap<string, { readonly credential: Credential }>
  #authorities: readonly Authority[] = []

  constructor({ owner, clock }: CredentialCheckerOptions) {
    this.#owner = owner
    this.#clock = clock
    this.#verified = owner.map({
      name: 'credentials',
      capacity: limits.verifiedCredentials,
      expiry: { idleMs: cachedMs },
      release: () => {},
    })
    owner.every(cachedMs / 10, () => void this.#verified.expire(clock.now()))
  }

  /** Replaces the trusted authorities; credentials of the others no longer prove anything. */
  trust(authorities: readonly Authority[]): void {
    this.#authorities = authorities
    const ids = authorities.map(({ id }) => id)
    for (const [token, { credential }] of this.#verified.entries())
      if (!ids.includes(credential.authority)) this.#verified.delete(token)
    this.revocations.retainAuthorities(ids)
  }

  /**
   * Whether the tokens prove all claims of a peer: for each, one of them must. The cause is that of the first claim
   * without a proof, and of the token that comes nearest to one; without a claim to a mesh of this node nothing is proved.
   * Never rejects.
   */
  async check(claims: readonly Claim[], tokens: readonly string[]): Promise<Proof> {
    const read = await Promise.all(tokens.slice(0, maxTokens).map((token) => this.#read(token)))
    if (claims.length === 0) return { cause: 'other-mesh' }
    const credentials: Credential[] = []
    for (const claim of claims) {
      const proof = this.#prove(claim, read)
      if (typeof proof === 'string') return { cause: proof }
      credentials.push(proof)
    }
    return { credentials }
  }

  /** Whether a credential that proved a claim before still does. */
  findFlaw(credential: Credential, claim: Claim): CredentialCause | undefined {
    const isTrusted = this.#authorities.some(({ id }) => id === credential.authority)
    if (!isTrusted) return 'unknown-authority'
    return findFlaw(credential, claim, this.#clock.wall(), (one) => this.revocations.isRevoked(one))
  }

  #prove(claim: Claim, read: readonly ReadCredential[]): Credential | CredentialCause {
    let cause: CredentialCause = 'missing'
    for (const one of read) {
      if ('flaw' in one) {
        cause = one.flaw
        continue
      }
      const flaw = this.findFlaw(one.credential, claim)
      if (flaw === undefined) return one.credential
      // Of two credentials of a bridge, that of the other mesh is no cause.
      if (flaw !== 'other-mesh' || cause === 'missing') cause = flaw
    }
    return cause
  }

  async #read(token: string): Promise<ReadCredential> {
    const cached = this.#verified.get(token)
    if (cached !== undefined) {
      this.#verified.touch(token, this.#clock.now())
      return cached
    }
    const read = await readCredential(token, this.#authorities)
    if ('credential' in read && !this.#owner.closed) this.#verified.set(token, read, this.#clock.now())
    return read
  }
}
