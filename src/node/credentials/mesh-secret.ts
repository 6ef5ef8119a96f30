import { randomBytes } from 'node:crypto'
import { MeshError } from '../../core/errors.ts'
import { secretBytes } from '../../kit/credentials/authority.ts'
import { readPrivateFile } from '../private-file.ts'

/** 32 bytes as base64url, without padding. A passphrase that a person chooses has no such form, and is refused. */
const form = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/
/** A few secrets, while they are exchanged; a much longer file is something else. */
const maxFileBytes = 512

/** A new secret of a mesh, as text. */
export function createSecret(): string {
  return randomBytes(secretBytes).toString('base64url')
}

/**
 * Reads one or several secrets, separated by white space; `source` names where they came from, in errors, which never
 * contain the text.
 *
 * @throws MESH_SECRET_UNUSABLE for anything but 32 bytes in base64url each
 */
export function parseSecrets(text: string, source: string): Uint8Array[] {
  const parts = text.split(/\s+/).filter((part) => part !== '')
  if (parts.length === 0) throw unusable(source, 'it is empty')
  return parts.map((part) => {
    if (form.test(part)) return Buffer.from(part, 'base64url')
    throw unusable(source, `a part of ${part.length} characters is not 32 random bytes in base64url`)
  })
}

/** @throws MESH_SECRET_UNUSABLE, also for a missing file and one that others can read */
export async function readSecretFile(path: string): Promise<Uint8Array[]> {
  const bytes = await readPrivateFile(path, maxFileBytes, (fault) =>
    unusable(
      path,
      'exposed' in fault ? `other users can access it: mode ${fault.exposed}, expected 600` : fault.unreadable,
    ),
  )
  if (bytes === undefined) throw unusable(path, 'it does not exist')
  return parseSecrets(Buffer.from(bytes).toString('latin1'), path)
}

function unusable(source: string, cause: string): MeshError {
  return new MeshError('MESH_SECRET_UNUSABLE', { source, cause })
}
