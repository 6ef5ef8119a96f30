import { execFile, execFileSync } from 'node:child_process'
import { rmdirSync } from 'node:fs'
import { mkdtemp, rm, rmdir, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { errorMessage } from '../../core/errors.ts'
import { onExit } from '../../processes/exit.ts'

const run = promisify(execFile)

/** A small disk to fill. */
export interface SmallDisk extends AsyncDisposable {
  readonly directory: string
  /** Leaves this many bytes free. */
  fill(leave: number): Promise<void>
  /** Frees the filled space. */
  free(): Promise<void>
}

/** Mounts a disk in memory, or says why it cannot: it needs Linux and root. */
export async function smallDisk(mebibytes: number): Promise<SmallDisk | { readonly missing: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'tracemesh-disk-'))
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=700`, 'tracemesh-disk', directory])
  } catch (error) {
    await rmdir(directory)
    return { missing: `cannot mount a disk (${errorMessage(error)})` }
  }
  // A lazy unmount: processes with open files there end with this process.
  const cancelExit = onExit(() => {
    execFileSync('umount', ['--lazy', directory])
    rmdirSync(directory)
  })
  const filler = join(directory, 'filler')
  return {
    directory,
    async fill(leave) {
      const { bavail, bsize } = await statfs(directory)
      await writeFile(filler, Buffer.alloc(Math.max(0, bavail * bsize - leave)))
    },
    free: () => rm(filler, { force: true }),
    async [Symbol.asyncDispose]() {
      cancelExit()
      await run('umount', ['--lazy', directory])
      await rmdir(directory)
    },
  }
}
