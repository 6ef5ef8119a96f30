import { compactVerify, decodeProtectedHeader, errors, SignJWT } from 'jose'
import * as z from 'zod/mini'
import { roles } from '../../catalogue/roles.ts'
import type { Credential, CredentialCause } from '../../core/credentials/credential.ts'
import { limits } from '../../core/limits.ts'
import type { Authority, SigningAuthority } from './authority.ts'

/**
 * A credential as a JWT (RFC 7519), signed with Ed25519 (`EdDSA`, RFC 8037). Its own `typ` keeps other tokens of the
 * same key from being taken for one (RFC 8725, 3.11).
 */
const type = 'tracemesh-credential+jwt'
const algorithm = 'EdDSA'

const text = z.string().check(z.minLength(1), z.maxLength(limits.nameLength))
const claims = z.object({
  iss: text,
  sub: z.string().check(z.minLength(1), z.maxLength(128)),
  aud: text,
  roles: z.array(z.enum(roles)).check(z.minLength(1), z.maxLength(roles.length)),
  nbf: z.int().check(z.nonnegative()),
  exp: z.int().check(z.nonnegative()),
  jti: z.string().check(z.regex(/^[\x21-\x7e]{1,64}$/)),
})

export type ReadCredential = { readonly credential: Credential } | { readonly flaw: CredentialCause }

/** Signs a credential. Times are rounded to whole seconds, its begin down and its end up. */
export function signCredential(content: Omit<Credential, 'authority'>, authority: SigningAuthority): Promise<string> {
  return new SignJWT({ roles: [...content.roles] })
    .setProtectedHeader({ alg: algorithm, typ: type, kid: authority.id })
    .setIssuer(authority.id)
    .setSubject(content.peer)
    .setAudience(content.mesh)
    .setNotBefore(Math.floor(content.notBeforeMs / 1_000))
    .setExpirationTime(Math.ceil(content.expiresMs / 1_000))
    .setJti(content.id)
    .sign(authority.privateKey)
}

/**
 * Reads a token that a peer has sent, and verifies its signature; whether it proves what the peer claims is the
 * question of `findFlaw`. The cost of junk is bounded: a token too long is not decoded, and one that names no known
 * authority is not verified. Never rejects.
 */
export async function readCredential(token: string, authorities: readonly Authority[]): Promise<ReadCredential> {
  if (token === '') return { flaw: 'missing' }
  if (token.length > limits.credentialBytes) return { flaw: 'malformed' }
  try {
    const { alg, typ, kid } = decodeProtectedHeader(token)
    if (alg !== algorithm || typ !== type) return { flaw: 'malformed' }
    const authority = authorities.find(({ id }) => id === kid)
    if (authority === undefined) return { flaw: 'unknown-authority' }
    const { payload } = await compactVerify(token, authority.publicKey, { algorithms: [algorithm] })
    const read = claims.safeParse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload)))
    if (!read.success || read.data.iss !== authority.id) return { flaw: 'malformed' }
    const { sub, aud, nbf, exp, jti } = read.data
    const times = { notBeforeMs: nbf * 1_000, expiresMs: exp * 1_000 }
    return { credential: { authority: authority.id, peer: sub, mesh: aud, roles: read.data.roles, ...times, id: jti } }
  } catch (error) {
    return { flaw: error instanceof errors.JWSSignatureVerificationFailed ? 'bad-signature' : 'malformed' }
  }
}
