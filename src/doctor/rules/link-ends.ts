import type { Evidence } from '../evidence/evidence.ts'
import type { Instance, Witness } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { partOf } from '../judgement/growth.ts'
import { settingsOf } from '../judgement/settings.ts'

/** A node that hears nothing of a link closes it within its staleness window; clocks may differ, too. */
const [leastLateMs, lateWindows] = [120_000, 4]

/**
 * Links that the other end has closed, and this process has not, for longer than it may miss that. A span that was lost
 * would look the same, so no sequence number of this process may be missing.
 */
export function linksWithOneEnd(evidence: Evidence, instance: Instance): Finding | undefined {
  if (!evidence.complete || evidence.links.omitted > 0 || instance.seqs.missing > 0) return undefined
  const untilMs = Math.min(instance.lastMs, instance.stopMs)
  const lateMs = Math.max(leastLateMs, lateWindows * settingsOf(instance).stalenessMs)
  const closedElsewhere = evidence.links.open().flatMap(({ ends }): Witness[] => {
    const own = ends.find((end) => end.instance === instance.key)
    const other = ends.find((end) => end.instance !== instance.key)
    if (own?.opened === undefined || own.closed !== undefined || other?.closed === undefined) return []
    return other.opened !== undefined && other.closed.atMs < untilMs - lateMs ? [other.closed] : []
  })
  const [first] = closedElsewhere.sort((a, b) => a.atMs - b.atMs)
  if (first === undefined) return undefined
  return {
    disease: 'link-left-open',
    owner: partOf(instance, 'links that the other end has closed'),
    certainty: 'certain',
    sinceMs: first.atMs,
    summary: `${closedElsewhere.length} links that the other end closed more than ${Math.round(lateMs / 60_000)} minutes ago are open here`,
    proof: closedElsewhere.slice(0, 8),
  }
}
