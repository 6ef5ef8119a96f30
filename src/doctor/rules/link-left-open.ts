import type { Evidence } from '../evidence/evidence.ts'
import { type Instance, witnessOf } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { missingSpans } from '../judgement/absence.ts'
import { partOf, pointsOf } from '../judgement/growth.ts'
import { brokenSinceMs, numberOf, processOf, type Statement, statementsOf, textsOf } from '../judgement/statements.ts'
import type { Rule } from '../rule.ts'
import { linksWithOneEnd } from './link-ends.ts'

/** Reasons of a suspect for which the node waits for the connection to close. */
const openReasons = ['superseded-open', 'closing-open', 'refused-open', 'unowned']
/** Censuses in a row with a suspect: a path that drops packets delays a close by less. */
const leastCensuses = 3

/**
 * Connections that nobody closes, by four exact ledgers, the first that a process breaks: a pair has one connection; the
 * node waits for none to close; its ledger and libp2p list the same; both ends of a link say the same.
 */
export const linkLeftOpen: Rule = {
  name: 'link-left-open',
  find(evidence) {
    const pairs = pairFindings(evidence)
    const named = new Set(
      pairs.flatMap(({ owner, alsoAt = [] }) => [owner.node, ...alsoAt].map((n) => `${owner.mesh} ${n}`)),
    )
    const others = evidence.instances.filter(({ mesh, node }) => !named.has(`${mesh} ${node}`))
    return [
      ...pairs,
      ...others.flatMap(
        (one) => suspectFinding(evidence, one) ?? ledgerFinding(one) ?? linksWithOneEnd(evidence, one) ?? [],
      ),
    ]
  },
}

/** A pair with several connections, as one end says. */
interface Pair {
  readonly statement: Statement
  /** The ends with spans of their own. */
  readonly ends: readonly Instance[]
}

/** Both ends of a pair report it: the node in most of the pairs is the owner, and its other ends are named with it. */
function pairFindings(evidence: Evidence): Finding[] {
  const findings: Finding[] = []
  let pairs = evidence.instances.flatMap((instance) =>
    statementsOf(instance, 'one-link-per-pair').map((statement): Pair => {
      const other = processOf(evidence, textsOf(statement.last, 'mesh.invariant.ids')[0] ?? '')
      return { statement, ends: other === undefined || other === instance ? [instance] : [instance, other] }
    }),
  )
  while (pairs.length > 0) {
    const owner = ownerOf(pairs)
    findings.push(
      pairFinding(
        owner,
        pairs.filter(({ ends }) => ends.includes(owner)),
      ),
    )
    pairs = pairs.filter(({ ends }) => !ends.includes(owner))
  }
  return findings
}

/** Of ends in equally many pairs, the one that reports more connections, then the one that reported them first. */
function ownerOf(pairs: readonly Pair[]): Instance {
  const ends = [...new Set(pairs.flatMap((pair) => pair.ends))]
  const rank = (end: Instance) => {
    const own = pairs.filter(({ statement }) => statement.instance === end).map(({ statement }) => statement)
    return [
      pairs.filter((pair) => pair.ends.includes(end)).length,
      Math.max(0, ...own.map(({ last }) => numberOf(last, 'mesh.actual'))),
      -Math.min(Number.MAX_SAFE_INTEGER, ...own.map(brokenSinceMs)),
    ] as const
  }
  const ranked = ends.map((end) => ({ end, rank: rank(end) }))
  ranked.sort((a, b) => b.rank[0] - a.rank[0] || b.rank[1] - a.rank[1] || b.rank[2] - a.rank[2])
  return ranked[0]?.end as Instance
}

function pairFinding(owner: Instance, pairs: readonly Pair[]): Finding {
  const statements = pairs.map(({ statement }) => statement).sort((a, b) => brokenSinceMs(a) - brokenSinceMs(b))
  const most = Math.max(...statements.map(({ last }) => numberOf(last, 'mesh.actual')))
  const alsoAt = [...new Set(pairs.flatMap(({ ends }) => ends.map(({ node }) => node)))].filter((n) => n !== owner.node)
  const suspects = suspectsOf(owner)
  return {
    disease: 'link-left-open',
    owner: partOf(owner, 'connections of a pair'),
    certainty: 'certain',
    sinceMs: Math.min(...statements.map(brokenSinceMs)),
    summary: `a pair has ${most} open connections where one is needed; ${suspects.length} were reported as suspects`,
    proof: [...statements.slice(0, 4).map(({ last }) => last), ...suspects.slice(0, 4)].map(witnessOf),
    ...(alsoAt.length > 0 && { alsoAt }),
  }
}

function suspectsOf(instance: Instance) {
  return instance
    .spans('mesh.audit.suspect')
    .filter(({ attributes }) => openReasons.includes(String(attributes['mesh.suspect.reason'])))
}

/** The node counts connections at every census that it wants closed. */
function suspectFinding(evidence: Evidence, instance: Instance): Finding | undefined {
  const points = pointsOf(instance, 'mesh.audit.suspects')
  const byConnection = Map.groupBy(suspectsOf(instance), ({ attributes }) => attributes['mesh.connection.id'])
  const latestSpans = [...byConnection.values()].flatMap((spans) => spans.at(-1) ?? [])
  const suspects = latestSpans.filter(({ attributes }) => attributes['mesh.suspect.change'] !== 'gone')
  const latest = points.slice(points.findLastIndex(({ value }) => value === 0) + 1)
  if (latest.length < leastCensuses || suspects.length === 0) return undefined
  // Others may have come at each census, and the spans that say that each has gone may be missing.
  const isOld = suspects.some(({ attributes }) => attributes['mesh.suspect.change'] === 'older')
  const missing = isOld ? undefined : missingSpans(evidence, instance)
  const peers = suspects.map(({ attributes }) => processOf(evidence, String(attributes['mesh.peer.id'] ?? ''))?.node)
  const alsoAt = [...new Set(peers.filter((node) => node !== undefined))].filter((node) => node !== instance.node)
  return {
    disease: 'link-left-open',
    owner: partOf(instance, 'connections that should be closed'),
    certainty: missing === undefined ? 'certain' : 'insufficient',
    sinceMs: latest[0]?.atMs,
    summary: `${latest.at(-1)?.value} connections that should be closed are open, for ${latest.length} censuses by now`,
    proof: suspects.slice(0, 8).map(witnessOf),
    ...(alsoAt.length > 0 && { alsoAt }),
    ...(missing !== undefined && { missing }),
  }
}

/** The two layers, or the counts of the ledger itself, differ for a while. */
function ledgerFinding(instance: Instance): Finding | undefined {
  const statement = ['connections-in-ledger', 'connections-conserved'].flatMap((name) =>
    statementsOf(instance, name),
  )[0]
  if (statement === undefined) return undefined
  const { invariant, first, last } = statement
  const { 'mesh.expected': expected, 'mesh.actual': actual } = last.attributes
  return {
    disease: 'link-left-open',
    owner: partOf(instance, invariant === 'connections-in-ledger' ? 'connections outside the ledger' : 'ledger'),
    certainty: 'certain',
    sinceMs: brokenSinceMs(statement),
    summary: `${actual} connections where the ledger has ${expected}`,
    proof: [first, last].map(witnessOf),
  }
}
