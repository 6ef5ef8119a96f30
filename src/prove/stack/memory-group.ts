import { existsSync, readFileSync, rmdirSync } from 'node:fs'
import { mkdir, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Memory limit of a group of processes, page cache included, as of a container. */
export interface MemoryGroup {
  /** A process that writes its id there joins the group, with the processes that it starts. */
  readonly procsFile: string
  /** Waits for its processes to end. */
  close(): Promise<void>
}

/** Files of the two kinds of control groups that Linux has. */
const kinds = [
  { root: '/sys/fs/cgroup/memory', limit: 'memory.limit_in_bytes' },
  { root: '/sys/fs/cgroup', limit: 'memory.max' },
] as const

/** Creates a group, or says why it cannot: it needs Linux and root. */
export async function memoryGroup(limitMb: number): Promise<MemoryGroup | { readonly missing: string }> {
  const kind = kinds.find(({ root }) => existsSync(join(root, 'cgroup.procs')))
  if (kind === undefined) return { missing: 'this system has no control groups' }
  const directory = join(kind.root, `tracemesh-${process.pid}`)
  try {
    await mkdir(directory)
    await writeFile(join(directory, kind.limit), String(limitMb * 1_048_576))
  } catch (error) {
    await rmdir(directory).catch(() => {})
    return { missing: `cannot create a control group (${error instanceof Error ? error.message : error})` }
  }
  const atExit = () => {
    try {
      killGroup(directory)
    } catch {
      // Other exit handlers must run, too.
    }
  }
  process.once('exit', atExit)
  return {
    procsFile: join(directory, 'cgroup.procs'),
    close: async () => {
      // The kernel releases the group once its last process is reaped.
      for (let attempt = 0; attempt < 50 && processesIn(directory).length > 0; attempt++)
        await new Promise((done) => setTimeout(done, 100))
      await rmdir(directory)
      process.off('exit', atExit)
    },
  }
}

/** Kills the group at the exit of this process. */
function killGroup(directory: string): void {
  for (const pid of processesIn(directory)) process.kill(pid, 'SIGKILL')
  const pause = new Int32Array(new SharedArrayBuffer(4))
  for (let attempt = 0; attempt < 50 && processesIn(directory).length > 0; attempt++) Atomics.wait(pause, 0, 0, 20)
  rmdirSync(directory)
}

function processesIn(directory: string): number[] {
  const pids = readFileSync(join(directory, 'cgroup.procs'), 'utf8').trim().split('\n')
  return pids.filter(Boolean).map(Number)
}
