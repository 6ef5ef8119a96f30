/** Runs at the exit of this process, whatever other exit handlers do; the returned function cancels that. */
export function onExit(cleanUp: () => void): () => void {
  const run = () => {
    try {
      cleanUp()
    } catch {
      // Other exit handlers must run, too.
    }
  }
  process.once('exit', run)
  return () => void process.off('exit', run)
}

/** Sends SIGKILL to each process; a negative id is that of a process group. One that has ended hides no other. */
export function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It has ended.
    }
  }
}
