import { readFile } from 'node:fs/promises'
import { MeshError } from '../core/errors.ts'
import { replaceFile } from './durable-file.ts'
import { errorCode } from './error-code.ts'

/**
 * Counts one more start of the identity in `keyFile`, in a file beside it, and returns the count: on disk before
 * anybody hears of it, so that it never goes back. For a known key whose count is lost it is the wall clock's
 * seconds, which no count of starts comes near. Throws MESH_IDENTITY_COUNTER when it cannot be kept.
 *
 * @param wallMs Unix milliseconds.
 */
export async function nextIncarnation(keyFile: string, key: 'new' | 'known', wallMs = Date.now()): Promise<number> {
  const file = `${keyFile}.incarnation`
  const previous = await readCount(file)
  // A count that outlived its key says nothing of the new one, but being higher does no harm either.
  const next = previous !== undefined ? previous + 1 : key === 'new' ? 1 : Math.max(1, Math.floor(wallMs / 1_000))
  try {
    await replaceFile(file, Buffer.from(`${next}\n`))
  } catch (error) {
    throw new MeshError('MESH_IDENTITY_COUNTER', { file, cause: errorCode(error) }, { cause: error })
  }
  return next
}

/** Undefined when there is none, or none that can be read. */
async function readCount(file: string): Promise<number | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '')
  const count = /^[1-9]\d{0,14}\n?$/.test(text) ? Number(text) : undefined
  return count
}
