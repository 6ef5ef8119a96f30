import { readdirSync, readFileSync } from 'node:fs'

// What Linux says in `/proc` of who started whom.

/** Processes whose parent this is. */
export function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && stat(pid)?.parent === parent)
}

/** Whether there is such a process, and it is no mere entry that its parent has not read. */
export function lives(pid: number): boolean {
  const state = stat(pid)?.state
  return state !== undefined && state !== 'Z'
}

/** Command line, in its words. */
export function commandOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
}

function stat(pid: number): { state: string; parent: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [state = '', parent] = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { state, parent: Number(parent) }
  } catch {
    return undefined
  }
}
