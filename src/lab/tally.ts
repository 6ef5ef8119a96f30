import type { LogEntry } from './child.ts'

/** Counters of a node since the start of its current process. */
export interface Tally {
  members: number
  links: number
  retries: number
  /** Stale members that its sweeps found. */
  prunes: number
  expired: number
  sweeps: number
  /** Spans lost at exit, after the last span that could report them. */
  lost: number
}

export function newTally(): Tally {
  return { members: 0, links: 0, retries: 0, prunes: 0, expired: 0, sweeps: 0, lost: 0 }
}

/** Counts one line of a node's log. */
export function count(tally: Tally, entry: LogEntry): void {
  counters[String(entry['msg'])]?.(tally, entry)
}

const counters: Readonly<Record<string, (tally: Tally, entry: LogEntry) => void>> = {
  'mesh.member.joined': (tally) => tally.members++,
  'mesh.member.left': (tally) => tally.members--,
  'mesh.member.expired': (tally) => {
    tally.members--
    tally.expired++
  },
  'mesh.hello.received': (tally) => tally.links++,
  'mesh.connection.closed': (tally, entry) => {
    if (entry['mesh.connection.kind'] === 'member') tally.links--
  },
  'mesh.seed.retry': (tally) => tally.retries++,
  'mesh.staleness.pruned': (tally, entry) => {
    tally.sweeps++
    tally.prunes += Number(entry['mesh.pruned.count'] ?? 0)
  },
  'spans were lost at exit': (tally, entry) => {
    tally.lost += Number(entry['lost'] ?? 0)
  },
}
