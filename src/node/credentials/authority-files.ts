import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { errorCode, MeshError } from '../../core/errors.ts'
import {
  type Authority,
  authorityOf,
  type SigningAuthority,
  signingAuthorityOf,
} from '../../kit/credentials/authority.ts'
import { createPrivateFile, readPrivateFile } from '../private-file.ts'

/** A file of an encrypted Ed25519 key has 400 bytes. */
const maxKeyBytes = 8_192

/** The file of the public key of an authority, beside that of its private key. */
export function publicFileOf(keyFile: string): string {
  return `${keyFile}.pub`
}

/**
 * Creates the key of an authority, encrypted (PKCS #8), and a file with its public key (SPKI) beside it.
 *
 * @throws MESH_AUTHORITY_UNUSABLE if there is such a file already
 */
export async function createAuthority(keyFile: string, passphrase: string): Promise<Authority> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const encrypted = privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase })
  try {
    await createPrivateFile(keyFile, Buffer.from(encrypted))
    await writeFile(publicFileOf(keyFile), publicKey.export({ type: 'spki', format: 'pem' }), { flag: 'wx' })
  } catch (error) {
    const cure = 'choose a new file; nothing is ever overwritten'
    throw new MeshError('MESH_AUTHORITY_UNUSABLE', { file: keyFile, cause: errorCode(error), cure }, { cause: error })
  }
  return authorityOf(publicKey)
}

/** @throws MESH_AUTHORITY_UNUSABLE, also for a wrong passphrase and for a file that others can read */
export async function openAuthority(keyFile: string, passphrase: string): Promise<SigningAuthority> {
  const unusable = (cause: string, cure: string, error?: unknown) =>
    new MeshError('MESH_AUTHORITY_UNUSABLE', { file: keyFile, cause, cure }, { cause: error })
  const bytes = await readPrivateFile(keyFile, maxKeyBytes, (fault) =>
    'exposed' in fault
      ? unusable(`other users can access it: mode ${fault.exposed}`, 'run chmod 600')
      : unusable(fault.unreadable, 'name the key of an authority', fault.error),
  )
  if (bytes === undefined) throw unusable('it does not exist', 'make one with tracemesh cert ca')
  try {
    return await signingAuthorityOf(createPrivateKey({ key: Buffer.from(bytes), passphrase }))
  } catch (error) {
    throw unusable('wrong passphrase, or no encrypted Ed25519 key', 'check both', error)
  }
}

/**
 * Reads a file with the public keys of one or several authorities.
 *
 * @throws MESH_AUTHORITY_UNUSABLE
 */
export async function readAuthorities(file: string): Promise<Authority[]> {
  const unusable = (cause: string, error?: unknown) => {
    const cure = 'name a file with PEM public keys, such as the .pub file of tracemesh cert ca'
    return new MeshError('MESH_AUTHORITY_UNUSABLE', { file, cause, cure }, { cause: error })
  }
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw unusable(errorCode(error), error)
  })
  const blocks = text.match(/-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----/g) ?? []
  if (blocks.length === 0) throw unusable('it has no public key')
  try {
    return await Promise.all(blocks.map((pem) => authorityOf(createPublicKey(pem))))
  } catch (error) {
    throw unusable('a key in it is no Ed25519 public key', error)
  }
}
