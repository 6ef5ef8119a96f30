import type { TraceSpan } from '../../traces/trace.ts'
import type { Evidence } from '../evidence/evidence.ts'
import { type Instance, witnessOf } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import type { Rule } from '../rule.ts'

/** Two lives of one identity that overlap this long are no restart, and no difference of clocks. */
const leastOverlapMs = 60_000

interface ConflictReport {
  readonly reporter: Instance
  readonly span: TraceSpan
}

/**
 * A node says that two processes use an identity, or two processes of one identity emit spans at the same time. The
 * owner is the process that started last: its key is the copy.
 */
export const duplicateIdentity: Rule = {
  name: 'duplicate-identity',
  find: (evidence) => {
    const reports = evidence.instances.flatMap((reporter) =>
      reporter.spans('mesh.identity.conflict').map((span) => ({ reporter, span })),
    )
    const byIdentity = Map.groupBy(reports, ({ reporter, span }) =>
      keyOf(reporter.mesh, span.attributes['mesh.peer.id']),
    )
    const stated = [...byIdentity.values()].map((all) => statedFinding(all, evidence))
    const silent = [...Map.groupBy(evidence.instances, ({ mesh, peer }) => keyOf(mesh, peer))]
      .filter(([key]) => !byIdentity.has(key))
      .flatMap(([, lives]) => overlapFinding(lives) ?? [])
    return [...stated, ...silent]
  },
}

function statedFinding(reports: readonly ConflictReport[], { instances }: Evidence): Finding {
  const inOrder = reports.toSorted((a, b) => a.span.startMs - b.span.startMs)
  const [first] = inOrder as [ConflictReport, ...ConflictReport[]]
  const { 'mesh.peer.id': peer, 'mesh.peer.name': name, 'mesh.identity.addresses': addresses } = first.span.attributes
  const lives = instances.filter((one) => one.mesh === first.reporter.mesh && one.peer === peer)
  const copy = copyAmong(lives, reports) ?? concurrentWith(lives)?.[1]
  const node = copy?.node ?? String(name)
  return {
    disease: 'duplicate-identity',
    owner: { mesh: first.reporter.mesh, node, instance: copy?.id ?? '', part: `identity ${peer}` },
    certainty: 'certain',
    sinceMs: first.span.startMs,
    lastMs: inOrder.at(-1)?.span.startMs,
    summary: `two processes run as ${peer}, at ${[addresses ?? 'unknown addresses'].flat().join(' and ')}; ${new Set(reports.map(({ reporter }) => reporter.id)).size} nodes report it`,
    proof: inOrder.slice(0, 8).map(({ span }) => witnessOf(span)),
    alsoAt: [...new Set(lives.map((one) => one.node))].filter((one) => one !== node),
  }
}

/** A third node lists the process that it met first before the other. */
function copyAmong(lives: readonly Instance[], reports: readonly ConflictReport[]): Instance | undefined {
  const byOthers = reports.find(({ span }) => span.attributes['mesh.identity.own'] === false)
  const listed = byOthers?.span.attributes['mesh.identity.instances']
  const later = Array.isArray(listed) ? listed[1] : undefined
  return lives.find((one) => {
    const [started] = one.spans('mesh.node.started')
    return later !== undefined && started?.attributes['mesh.node.instance'] === later
  })
}

function overlapFinding(lives: readonly Instance[]): Finding | undefined {
  const pair = concurrentWith(lives)
  if (pair === undefined) return undefined
  const [first, copy] = pair
  const overlapMs = Math.min(first.lastMs, copy.lastMs) - copy.firstMs
  if (copy.peer === '' || overlapMs < leastOverlapMs) return undefined
  return {
    disease: 'duplicate-identity',
    owner: { mesh: copy.mesh, node: copy.node, instance: copy.id, part: `identity ${copy.peer}` },
    certainty: 'likely',
    sinceMs: copy.firstMs,
    summary: `two processes of ${copy.peer} emitted spans at the same time for ${Math.round(overlapMs / 1_000)} s`,
    proof: [...first.censuses, ...copy.censuses].slice(0, 8),
    alsoAt: first.node === copy.node ? [] : [first.node],
  }
}

/** The pair of lives with the longest overlap, the earlier one first; undefined if none overlap. */
function concurrentWith(lives: readonly Instance[]): readonly [Instance, Instance] | undefined {
  const inOrder = lives.toSorted((a, b) => a.firstMs - b.firstMs)
  const pairs = inOrder.flatMap((first, index) => inOrder.slice(index + 1).map((later) => [first, later] as const))
  const overlapOf = ([first, later]: readonly [Instance, Instance]) =>
    Math.min(first.lastMs, later.lastMs) - later.firstMs
  return pairs.filter((pair) => overlapOf(pair) > 0).toSorted((a, b) => overlapOf(b) - overlapOf(a))[0]
}

function keyOf(mesh: string, peer: unknown): string {
  return `${mesh} ${peer}`
}
