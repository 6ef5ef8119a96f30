import type { RunningNode } from '../node/node.ts'

/** A disease as code beneath or beside the kit. Only the entry program of the zoo starts one. */
export interface Plant {
  /** It is ill from its start on. */
  readonly atStart?: boolean
  /** Before the node starts: replaces methods of the kit, which act differently once `isOn`. */
  patch?(isOn: () => boolean): void
  /** Once, when the disease begins. */
  begin?(node: RunningNode): void | Promise<void>
  /** Four times a second from then on. `count` begins with 0. */
  tick?(node: RunningNode, count: number): void | Promise<void>
  /** When a peer connects, from then on. */
  join?(node: RunningNode, peer: string): void | Promise<void>
  /** When the last connection of a peer ends, from then on. */
  leave?(node: RunningNode, peer: string): void | Promise<void>
}

/** References that keep what a plant leaks. */
const retained: unknown[] = []

/** Keeps a value as long as the process lives. */
export function retain(value: unknown): void {
  retained.push(value)
}
