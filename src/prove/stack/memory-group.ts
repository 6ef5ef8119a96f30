import { existsSync, readFileSync, rmdirSync } from 'node:fs'
import { mkdir, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Memory that processes may take between them, page cache included, as a container's. */
export interface MemoryGroup {
  /** A process that writes its id there is in it, and so is whatever it starts. */
  readonly procsFile: string
  /** Once its processes have ended. */
  close(): Promise<void>
}

/** Files of the two kinds of control groups that Linux has. */
const kinds = [
  { root: '/sys/fs/cgroup/memory', limit: 'memory.limit_in_bytes' },
  { root: '/sys/fs/cgroup', limit: 'memory.max' },
] as const

/** A group of its own, or why there can be none: that takes Linux and its root. */
export async function memoryGroup(limitMb: number): Promise<MemoryGroup | { readonly missing: string }> {
  const kind = kinds.find(({ root }) => existsSync(join(root, 'cgroup.procs')))
  if (kind === undefined) return { missing: 'this system has no control groups' }
  const directory = join(kind.root, `tracemesh-${process.pid}`)
  try {
    await mkdir(directory)
    await writeFile(join(directory, kind.limit), String(limitMb * 1_048_576))
  } catch (error) {
    await rmdir(directory).catch(() => {})
    return { missing: `no control group can be made (${error instanceof Error ? error.message : error})` }
  }
  const atExit = () => {
    try {
      end(directory)
    } catch {
      // Others have to end what they have started, too.
    }
  }
  process.once('exit', atExit)
  return {
    procsFile: join(directory, 'cgroup.procs'),
    close: async () => {
      // The kernel lets go of it when the last of its processes has been waited for.
      for (let tries = 0; tries < 50 && processesIn(directory).length > 0; tries++)
        await new Promise((done) => setTimeout(done, 100))
      await rmdir(directory)
      process.off('exit', atExit)
    },
  }
}

/** At the end of this process nobody waits any more. */
function end(directory: string): void {
  for (const pid of processesIn(directory)) process.kill(pid, 'SIGKILL')
  const pause = new Int32Array(new SharedArrayBuffer(4))
  for (let tries = 0; tries < 50 && processesIn(directory).length > 0; tries++) Atomics.wait(pause, 0, 0, 20)
  rmdirSync(directory)
}

function processesIn(directory: string): number[] {
  const listed = readFileSync(join(directory, 'cgroup.procs'), 'utf8').trim().split('\n')
  return listed.filter(Boolean).map(Number)
}
