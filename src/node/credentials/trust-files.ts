import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { errorCode } from '../../core/errors.ts'
import { authorityOfSecret, type SigningAuthority } from '../../kit/credentials/authority.ts'
import type { Trust } from '../../kit/credentials/trust.ts'
import { readAuthorities } from './authority-files.ts'
import { readTokens } from './credential-files.ts'
import { parseSecrets, readSecretFile } from './mesh-secret.ts'

/** What the files say. */
export interface FileTrust extends Trust {
  /** Authorities by which a node with a secret signs for itself, one per mesh. */
  readonly signers: readonly { readonly mesh: string; readonly authority: SigningAuthority }[]
}

/** Where a node finds its trust: the files of an authority, or the secret of the mesh. */
export interface TrustSettings {
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly revocations?: string | undefined
  readonly secret?: string | undefined
  readonly secretFile?: string | undefined
}

/** Random bytes of the id of a credential. */
const idBytes = 12

/**
 * Reads all files. Of several authorities or secrets all count, and the first one signs.
 *
 * @throws MESH_AUTHORITY_UNUSABLE, MESH_CREDENTIAL_UNUSABLE or MESH_SECRET_UNUSABLE
 */
export async function readTrust(settings: TrustSettings, meshes: readonly string[]): Promise<FileTrust> {
  const { ca, cert, revocations } = settings
  const list = revocations === undefined ? undefined : await readOptional(revocations)
  const ofFiles = ca === undefined ? [] : await readAuthorities(ca)
  const own = cert === undefined ? [] : await readTokens(cert)
  const secrets = await secretsOf(settings)
  const derived = await Promise.all(
    meshes.map((mesh) => Promise.all(secrets.map((secret) => authorityOfSecret(secret, mesh)))),
  )
  const signers = meshes.flatMap((mesh, index) => {
    const authority = cert === undefined ? derived[index]?.[0] : undefined
    return authority === undefined ? [] : [{ mesh, authority }]
  })
  return { authorities: [...ofFiles, ...derived.flat()], own, signers, revocations: list }
}

async function secretsOf({ secret, secretFile }: TrustSettings): Promise<readonly Uint8Array[]> {
  if (secret !== undefined) return parseSecrets(secret, 'MESH_SECRET')
  return secretFile === undefined ? [] : readSecretFile(secretFile)
}

/** The list appears with the first revocation. */
async function readOptional(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').then(
    (text) => text.trim(),
    (error: unknown) => {
      if (errorCode(error) === 'ENOENT') return undefined
      throw error
    },
  )
}

/** The id of a new credential. */
export function newId(): string {
  return randomBytes(idBytes).toString('base64url')
}
