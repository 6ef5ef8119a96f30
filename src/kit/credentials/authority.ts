import { createPrivateKey, createPublicKey, hkdfSync, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'

/** The public key of an authority, which says who belongs to a mesh, and the id that credentials name it by. */
export interface Authority {
  /** RFC 7638 thumbprint of the key: 43 characters of base64url. */
  readonly id: string
  readonly publicKey: KeyObject
}

/** An authority that signs. On a node there is one only where the mesh has a shared secret. */
export interface SigningAuthority extends Authority {
  readonly privateKey: KeyObject
}

/** Bytes of a shared secret: as many as an Ed25519 seed, so that it is no weaker than the key. */
export const secretBytes = 32
/** RFC 5869 `info`: other keys that may be derived from the secret one day differ from this one. */
const derivation = 'tracemesh authority v1'
/** DER of PKCS #8 for an Ed25519 key (RFC 8410), up to the 32 bytes of the seed. */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex')

/** @throws TypeError unless it is an Ed25519 key */
export async function authorityOf(publicKey: KeyObject): Promise<Authority> {
  if (publicKey.asymmetricKeyType !== 'ed25519') throw new TypeError(`a key of type ${publicKey.asymmetricKeyType}`)
  return { id: await calculateJwkThumbprint(publicKey.export({ format: 'jwk' })), publicKey }
}

/** @throws TypeError unless it is an Ed25519 key */
export async function signingAuthorityOf(privateKey: KeyObject): Promise<SigningAuthority> {
  return { ...(await authorityOf(createPublicKey(privateKey))), privateKey }
}

/**
 * The authority of a mesh with a shared secret: all holders derive the same key, and each signs for itself. The mesh id
 * is the salt, so that one secret for two meshes gives two authorities.
 */
export async function authorityOfSecret(secret: Uint8Array, mesh: string): Promise<SigningAuthority> {
  const seed = hkdfSync('sha256', secret, mesh, derivation, secretBytes)
  const der = Buffer.concat([pkcs8Prefix, new Uint8Array(seed)])
  return signingAuthorityOf(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
}
