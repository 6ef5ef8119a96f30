import { execFile, execFileSync } from 'node:child_process'
import { rmdirSync } from 'node:fs'
import { mkdtemp, rm, rmdir, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A disk of its own that can be filled. */
export interface SmallDisk extends AsyncDisposable {
  readonly directory: string
  /** Leaves this many bytes free. */
  fill(leave: number): Promise<void>
  /** Frees what was filled. */
  free(): Promise<void>
}

/** In memory; or why there can be none: that takes Linux and its root. */
export async function smallDisk(mebibytes: number): Promise<SmallDisk | { readonly missing: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'tracemesh-disk-'))
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=700`, 'tracemesh-disk', directory])
  } catch (error) {
    await rmdir(directory)
    return { missing: `no disk of its own can be mounted (${error instanceof Error ? error.message : error})` }
  }
  // Whatever still has files open there ends with this process, too.
  const atExit = () => {
    try {
      execFileSync('umount', ['--lazy', directory])
      rmdirSync(directory)
    } catch {
      // Others have to end what they have started, too.
    }
  }
  process.once('exit', atExit)
  const filler = join(directory, 'filler')
  return {
    directory,
    async fill(leave) {
      const { bavail, bsize } = await statfs(directory)
      await writeFile(filler, Buffer.alloc(Math.max(0, bavail * bsize - leave)))
    },
    free: () => rm(filler, { force: true }),
    async [Symbol.asyncDispose]() {
      process.off('exit', atExit)
      await run('umount', ['--lazy', directory])
      await rmdir(directory)
    },
  }
}
