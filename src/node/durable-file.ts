import { link, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Readable by its owner alone. */
const ownerOnly = 0o600

/** Puts `data` in place of what is at `path`: after a crash there is the old or the new, whole. */
export async function replaceFile(path: string, data: Uint8Array): Promise<void> {
  await writeViaTemporary(path, data, (temporary) => rename(temporary, path))
}

/** Like `replaceFile`, but of several that create the same file at once one wins: the others throw EEXIST. */
export async function createFile(path: string, data: Uint8Array): Promise<void> {
  await writeViaTemporary(path, data, (temporary) => link(temporary, path))
}

async function writeViaTemporary(
  path: string,
  data: Uint8Array,
  moveInto: (from: string) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.${process.pid}.${performance.now()}.tmp`
  try {
    const file = await open(temporary, 'wx', ownerOnly)
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

/** A new name is only safe once its directory is on the disk. Windows cannot open directories, and need not. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
