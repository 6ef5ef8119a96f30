import { readFile } from 'node:fs/promises'
import { MeshError } from '../core/errors.ts'
import { replaceFile } from './durable-file.ts'
import { errorCode } from './error-code.ts'

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
