import type { RunningNode } from '../node/node.ts'

/** False when it found nothing to do: that is no act. */
type Acted = unknown

/** A disease as code beneath or beside the kit. Only the entry program of the zoo starts one. */
export interface Plant {
  /** It is ill from its start on. */
  readonly atStart?: boolean
  /** How often it must have acted for its run to count; `leastActsOf` has the default. */
  readonly leastActs?: number
  /**
   * Before the node starts: replaces methods of the kit. It asks `isOn` last, where it acts: each yes is an act. A patch
   * that only prepares the acts asks `isIll`.
   */
  patch?(isOn: () => boolean, isIll: () => boolean): void
  /** Once, when the disease begins. */
  begin?(node: RunningNode): Acted
  /** Four times a second from then on. `count` begins with 0. */
  tick?(node: RunningNode, count: number): Acted
  /** When a peer connects, from then on. */
  join?(node: RunningNode, peer: string): Acted
  /** When the last connection of a peer ends, from then on. */
  leave?(node: RunningNode, peer: string): Acted
}

/** What leaks a little each time shows only after some times. */
const leastRepeated = 12

export function leastActsOf({ leastActs, ...acts }: Pick<Plant, 'leastActs'>): number {
  const isRepeated = ['tick', 'join', 'leave', 'order'].some((name) => name in acts)
  return leastActs ?? (isRepeated ? leastRepeated : 1)
}

/** References that keep what a plant leaks. */
const retained: unknown[] = []

/** Keeps a value as long as the process lives. */
export function retain(value: unknown): void {
  retained.push(value)
}
