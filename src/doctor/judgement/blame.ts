/** One node that complains of another. */
export interface Complaint {
  readonly by: string
  readonly about: string
}

export interface Blame {
  readonly node: string
  /** Nodes that complain of it, and those of which it complains. */
  readonly others: readonly string[]
  /** Whether the other end of its only complaint may be the guilty one just as well. */
  readonly isAmbiguous: boolean
}

/**
 * Who of those that complain of each other is at fault: whom many name, or who names many. It takes the node with most
 * counterparts, then the same of what remains. Of two alone, the one that agrees with more of its other `neighbours` is
 * innocent.
 */
export function blameOf(
  complaints: readonly Complaint[],
  neighbours: (node: string) => readonly string[] = () => [],
): readonly Blame[] {
  const blamed: Blame[] = []
  let open = complaints
  while (open.length > 0) {
    const nodes = [...new Set(open.flatMap(({ by, about }) => [by, about]))].sort()
    const counterparts = new Map(nodes.map((node) => [node, counterpartsOf(node, open)]))
    const countOf = (node: string) => counterparts.get(node)?.length ?? 0
    const agreesWith = (node: string) => neighbours(node).filter((one) => !counterparts.get(node)?.includes(one)).length
    const [node = '', second] = nodes.toSorted((a, b) => countOf(b) - countOf(a) || agreesWith(a) - agreesWith(b))
    const others = counterparts.get(node) ?? []
    const isTie = second !== undefined && others.length === 1 && countOf(second) === 1
    blamed.push({ node, others, isAmbiguous: isTie && agreesWith(node) === agreesWith(others[0] ?? '') })
    open = open.filter(({ by, about }) => by !== node && about !== node)
  }
  return blamed
}

function counterpartsOf(node: string, complaints: readonly Complaint[]): readonly string[] {
  const others = complaints.flatMap(({ by, about }) => (by === node ? [about] : about === node ? [by] : []))
  return [...new Set(others)].sort()
}
