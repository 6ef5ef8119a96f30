import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Role } from '../../catalogue/roles.ts'
import { errorCode } from '../../core/errors.ts'
import { authorityOfSecret } from '../../kit/credentials/authority.ts'
import { signCredential } from '../../kit/credentials/credential-token.ts'
import type { Trust } from '../../kit/credentials/trust.ts'
import { readAuthorities } from './authority-files.ts'
import { readTokens } from './credential-files.ts'
import { parseSecrets, readSecretFile } from './mesh-secret.ts'

/** The trust of a node, and when it has to sign its own credentials anew, in Unix milliseconds; Infinity for others. */
export interface FileTrust extends Trust {
  readonly renewAtMs: number
}

/** Where a node finds its trust: the files of an authority, or the secret of the mesh. */
export interface TrustSettings {
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly revocations?: string | undefined
  readonly secret?: string | undefined
  readonly secretFile?: string | undefined
}

/** What a node that signs for itself says. */
export interface Holder {
  readonly peer: string
  readonly meshes: readonly string[]
  readonly role: Role
}

const dayMs = 86_400_000
/** A clock may be behind that of the node which signs. */
const backdateMs = 60_000
/** Random bytes of the id of a credential. */
const idBytes = 12

/**
 * Reads all files. Of several authorities or secrets all count, and the first one signs.
 *
 * @throws MESH_AUTHORITY_UNUSABLE, MESH_CREDENTIAL_UNUSABLE or MESH_SECRET_UNUSABLE
 */
export async function readTrust(settings: TrustSettings, holder: Holder, wallMs: number): Promise<FileTrust> {
  const { ca, cert, revocations } = settings
  const list = revocations === undefined ? undefined : await readOptional(revocations)
  const ofFiles = { authorities: ca === undefined ? [] : await readAuthorities(ca), revocations: list }
  const secrets = await secretsOf(settings)
  const derived = await Promise.all(
    holder.meshes.map((mesh) => Promise.all(secrets.map((secret) => authorityOfSecret(secret, mesh)))),
  )
  const authorities = [...ofFiles.authorities, ...derived.flat()]
  if (cert !== undefined) return { ...ofFiles, authorities, own: await readTokens(cert), renewAtMs: Infinity }
  const times = { notBeforeMs: wallMs - backdateMs, expiresMs: wallMs + dayMs }
  const own = await Promise.all(
    holder.meshes.flatMap((mesh, index) => {
      const signer = derived[index]?.[0]
      if (signer === undefined) return []
      const content = { peer: holder.peer, mesh, roles: [holder.role], ...times, id: newId() }
      return [signCredential(content, signer)]
    }),
  )
  return { ...ofFiles, authorities, own, renewAtMs: own.length === 0 ? Infinity : wallMs + dayMs / 2 }
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
