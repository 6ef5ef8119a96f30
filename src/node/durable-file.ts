import { link, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

const ownerOnly = 0o600

/** Replaces the file at `path` atomically: after a crash it has the old or the new content, complete. */
export async function replaceFile(path: string, data: Uint8Array): Promise<void> {
  await writeViaTemporary(path, data, (temporary) => rename(temporary, path))
}

/** Creates the file atomically. When several processes create the same file, one wins and the others get EEXIST. */
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
