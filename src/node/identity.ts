import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import { errorCode, MeshError } from '../core/errors.ts'
import { createPrivateFile, type PrivateFileFault, readPrivateFile, replaceFile } from './private-file.ts'

export interface Identity {
  readonly privateKey: Ed25519PrivateKey
  /** Number of this start of the identity, from 1; never the same twice. */
  readonly incarnation: number
}

/** An Ed25519 key file has 68 bytes; a much longer file is no key, and the node does not read it. */
const maxKeyBytes = 4_096

/**
 * Loads the identity in `path` (libp2p's protobuf encoding, mode 0600), or creates it; without `path` the identity is
 * new and not stored. Throws MESH_IDENTITY_UNREADABLE, MESH_IDENTITY_EXPOSED or MESH_IDENTITY_COUNTER.
 */
export async function loadIdentity(path?: string): Promise<Identity> {
  if (path === undefined) return { privateKey: await generateKeyPair('Ed25519'), incarnation: 1 }
  const existing = await readKey(path)
  if (existing !== undefined) return { privateKey: existing, incarnation: await nextIncarnation(path, 'existing') }
  const createdKey = await createKey(path)
  if (createdKey !== undefined) return { privateKey: createdKey, incarnation: await nextIncarnation(path, 'new') }
  // Another process has created the key first.
  const otherProcessKey = await readKey(path)
  if (otherProcessKey === undefined) throw unreadable(path, 'it appears and disappears')
  return { privateKey: otherProcessKey, incarnation: await nextIncarnation(path, 'existing') }
}

/** Undefined when the file does not exist. */
async function readKey(path: string): Promise<Ed25519PrivateKey | undefined> {
  const bytes = await readPrivateFile(path, maxKeyBytes, (fault) => faultOf(path, fault))
  if (bytes === undefined) return undefined
  let key: ReturnType<typeof privateKeyFromProtobuf>
  try {
    key = privateKeyFromProtobuf(bytes)
  } catch (error) {
    throw unreadable(path, 'it holds no libp2p private key', error)
  }
  if (key.type !== 'Ed25519') throw unreadable(path, `its key is ${key.type}, expected Ed25519`)
  return key
}

/** Undefined when another process has created the file meanwhile. */
async function createKey(path: string): Promise<Ed25519PrivateKey | undefined> {
  const privateKey = await generateKeyPair('Ed25519')
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await createPrivateFile(path, privateKeyToProtobuf(privateKey))
    return privateKey
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return undefined
    throw unreadable(path, errorCode(error), error)
  }
}

function faultOf(file: string, fault: PrivateFileFault): MeshError {
  if ('exposed' in fault) return new MeshError('MESH_IDENTITY_EXPOSED', { file, mode: fault.exposed })
  return unreadable(file, fault.unreadable, fault.error)
}

function unreadable(file: string, cause: string, error?: unknown): MeshError {
  return new MeshError('MESH_IDENTITY_UNREADABLE', { file, cause }, { cause: error })
}

/**
 * Increments the incarnation of the identity in `keyFile` in a file beside it, and returns it. The file is synced
 * before the node announces the number, so it never goes back. For an existing key whose file is lost the incarnation
 * is the Unix time in seconds, which no count of starts reaches. Throws MESH_IDENTITY_COUNTER when the file cannot be
 * written.
 *
 * @param wallMs Unix milliseconds.
 */
export async function nextIncarnation(keyFile: string, key: 'new' | 'existing', wallMs = Date.now()): Promise<number> {
  const file = `${keyFile}.incarnation`
  const previous = await readCount(file)
  // A file that outlived its key belongs to another identity, but a higher number does no harm.
  const next = previous !== undefined ? previous + 1 : key === 'new' ? 1 : Math.max(1, Math.floor(wallMs / 1_000))
  try {
    await replaceFile(file, Buffer.from(`${next}\n`))
  } catch (error) {
    throw new MeshError('MESH_IDENTITY_COUNTER', { file, cause: errorCode(error) }, { cause: error })
  }
  return next
}

/** Undefined when the file is missing or has no valid number. */
async function readCount(file: string): Promise<number | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '')
  const count = /^[1-9]\d{0,14}\n?$/.test(text) ? Number(text) : undefined
  return count
}
