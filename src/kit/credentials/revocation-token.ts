import { CompactSign, compactVerify, decodeProtectedHeader } from 'jose'
import * as z from 'zod/mini'
import type { RevocationList } from '../../core/credentials/revocations.ts'
import { limits } from '../../core/limits.ts'
import type { Authority, SigningAuthority } from './authority.ts'

/** A list of revocations as a JWS (RFC 7515): of each credential its id and, after a dot, its expiry in seconds, base 36. */
const type = 'tracemesh-revocations+jws'
const algorithm = 'EdDSA'

const entry = z.string().check(z.regex(/^[\w-]{1,64}\.[0-9a-z]{1,8}$/))
const content = z.object({
  iss: z.string(),
  number: z.int().check(z.nonnegative()),
  revoked: z.array(entry).check(z.maxLength(limits.revocations)),
})

/** @throws RangeError for more than `limits.revocations` */
export function signRevocations(list: RevocationList, authority: SigningAuthority): Promise<string> {
  if (list.revoked.size > limits.revocations)
    throw new RangeError(`${list.revoked.size} revocations, at most ${limits.revocations}`)
  const revoked = [...list.revoked].map(([id, expiresMs]) => `${id}.${Math.ceil(expiresMs / 1_000).toString(36)}`)
  const payload = JSON.stringify({ iss: authority.id, number: list.number, revoked })
  return new CompactSign(new TextEncoder().encode(payload))
    .setProtectedHeader({ alg: algorithm, typ: type, kid: authority.id })
    .sign(authority.privateKey)
}

/** Undefined unless one of the authorities has signed it. Never rejects. */
export async function readRevocations(
  token: string,
  authorities: readonly Authority[],
): Promise<RevocationList | undefined> {
  if (token.length > limits.revocationBytes) return undefined
  try {
    const { alg, typ, kid } = decodeProtectedHeader(token)
    const authority = authorities.find(({ id }) => id === kid)
    if (authority === undefined || alg !== algorithm || typ !== type) return undefined
    const { payload } = await compactVerify(token, authority.publicKey, { algorithms: [algorithm] })
    const read = content.safeParse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload)))
    if (!read.success || read.data.iss !== authority.id) return undefined
    const revoked = new Map(read.data.revoked.map(parseEntry))
    return { authority: authority.id, number: read.data.number, revoked }
  } catch {
    return undefined
  }
}

function parseEntry(text: string): [string, number] {
  const dot = text.lastIndexOf('.')
  return [text.slice(0, dot), Number.parseInt(text.slice(dot + 1), 36) * 1_000]
}
