import { link, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errorCode } from '../core/errors.ts'

/** Mode of a file with a secret. */
const ownerOnly = 0o600

export type PrivateFileFault =
  /** Other users can read it. */
  { readonly exposed: string } | { readonly unreadable: string; readonly error?: unknown }

/**
 * Reads a file that nobody but its owner may access, and that is not a device or a heap of data; undefined if it does
 * not exist. `fault` makes the error that it throws.
 */
export async function readPrivateFile(
  path: string,
  maxBytes: number,
  fault: (fault: PrivateFileFault) => Error,
): Promise<Uint8Array | undefined> {
  let found: { readonly mode: number; readonly size: number; readonly bytes: Uint8Array | undefined }
  try {
    const file = await open(path, 'r')
    try {
      const { mode, size } = await file.stat()
      const isReadable = size <= maxBytes && !isExposed(mode)
      found = { mode, size, bytes: isReadable ? await file.readFile() : undefined }
    } finally {
      await file.close()
    }
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw fault({ unreadable: errorCode(error), error })
  }
  if (isExposed(found.mode)) throw fault({ exposed: (found.mode & 0o777).toString(8) })
  if (found.bytes === undefined) throw fault({ unreadable: `${found.size} bytes are too many` })
  return found.bytes
}

/** Windows has no mode bits: access lists protect the file there. */
function isExposed(mode: number): boolean {
  return process.platform !== 'win32' && (mode & 0o077) !== 0
}

/** Creates a file that only its owner can access, whole or not at all. Rejects with EEXIST if there is one. */
export async function createPrivateFile(path: string, data: Uint8Array): Promise<void> {
  await writeViaTemporary(path, data, (temporary) => link(temporary, path))
}

/** Replaces a file, whole or not at all; by default only its owner can access it. */
export async function replaceFile(path: string, data: Uint8Array, mode = ownerOnly): Promise<void> {
  await writeViaTemporary(path, data, (temporary) => rename(temporary, path), mode)
}

async function writeViaTemporary(
  path: string,
  data: Uint8Array,
  moveInto: (from: string) => Promise<void>,
  mode = ownerOnly,
): Promise<void> {
  const temporary = `${path}.${process.pid}.${performance.now()}.tmp`
  try {
    const file = await open(temporary, 'wx', mode)
    try {
      await file.writeFile(data)
      await file.sync()
    } finally {
      await file.close()
    }
    await moveInto(temporary)
  } finally {
    await rm(temporary, { force: true })
  }
  await syncDirectory(dirname(path))
}

/** A new name survives a crash only after an fsync of its directory. Windows cannot open directories. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
