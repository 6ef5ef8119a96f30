import { readFile } from 'node:fs/promises'
import { decodeJwt } from 'jose'
import { errorCode, MeshError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'

/** A bridge has two credentials; a file for many meshes is a mistake. */
const maxTokens = 8

/**
 * The tokens of a file, one per line.
 *
 * @throws MESH_CREDENTIAL_UNUSABLE for a file without any
 */
export async function readTokens(file: string): Promise<string[]> {
  const unusable = (cause: string) =>
    new MeshError('MESH_CREDENTIAL_UNUSABLE', { file, cause, cure: 'name a file that tracemesh cert sign wrote' })
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw unusable(errorCode(error))
  })
  if (text.length > maxTokens * (limits.credentialBytes + 2)) throw unusable(`it has ${text.length} characters`)
  const tokens = text.split(/\s+/).filter((line) => line !== '')
  if (tokens.length === 0) throw unusable('it is empty')
  return tokens
}

/** What a token says, without a look at its signature; undefined for what is no token. */
export function claimsOf(token: string): Claims | undefined {
  try {
    const {
      iss = '',
      sub = '',
      aud,
      roles,
      nbf = 0,
      exp = 0,
      jti = '',
    } = decodeJwt<{ roles: readonly string[] }>(token)
    return { iss, sub, aud: String(aud), roles, nbf, exp, jti }
  } catch {
    return undefined
  }
}

export interface Claims {
  readonly iss: string
  readonly sub: string
  readonly aud: string
  readonly roles: readonly string[]
  /** Unix seconds. */
  readonly nbf: number
  readonly exp: number
  readonly jti: string
}
