import type { Evidence } from '../evidence/evidence.ts'
import { type Instance, witnessOf } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { hasStopped, missingSpans, withoutLinksSince } from '../judgement/absence.ts'
import { partOf } from '../judgement/growth.ts'
import { seedHistories } from '../judgement/seed-history.ts'
import type { Rule } from '../rule.ts'

/** As the alert waits. */
const leastAloneMs = 120_000
const leastForeign = 3
/** Another node ran for as long after its last span. */
const censusMs = 30_000

/**
 * A node has had no link for two minutes while another node of its mesh ran. A node that stopped is not alone; a seed
 * without seeds of its own waits for others, whose fault it is.
 */
export const alone: Rule = {
  name: 'alone',
  find: (evidence) => evidence.instances.flatMap((instance) => findingOf(instance, evidence) ?? []),
}

function findingOf(instance: Instance, evidence: Evidence): Finding | undefined {
  const sinceMs = withoutLinksSince(instance)
  if (sinceMs === undefined || hasStopped(instance) || isPassive(instance)) return undefined
  const { lastMs, mesh, peer } = instance
  const others = evidence.instances.filter((one) => one.mesh === mesh && one.peer !== peer)
  const hadOthers = others.some((one) => {
    const togetherMs = Math.min(one.lastMs + censusMs, lastMs) - Math.max(one.firstMs, sinceMs)
    return togetherMs >= leastAloneMs
  })
  const isRefused = isForeign(instance)
  if (!hadOthers && !isRefused) return undefined
  const lastCensusMs = instance.series('mesh.audit.links')?.last.atMs ?? lastMs
  // A node that links at last, and whose next census is missing, looks the same; and a failing seed is the cause.
  const isUnsure = lastMs - lastCensusMs > 1.2 * censusMs || hasFailingSeed(instance) || hasUnknownSeeds(instance)
  const missing = isUnsure && !isRefused ? missingSpans(evidence, instance) : undefined
  return {
    disease: 'alone',
    owner: partOf(instance, 'links'),
    certainty: missing === undefined ? 'certain' : 'insufficient',
    sinceMs,
    summary: `no link in the last ${Math.round((lastMs - sinceMs) / 1_000)} s: ${reasonOf(instance)}`,
    proof: [...instance.censuses, ...reasonSpans(instance).slice(-4).map(witnessOf)],
    ...(missing !== undefined && { missing }),
  }
}

function hasFailingSeed(instance: Instance): boolean {
  return seedHistories(instance).some(({ reachedMs, unresolved }) => reachedMs === undefined || unresolved.length > 0)
}

/** Whether no span says which seeds it has, nor that it has none. */
function hasUnknownSeeds(instance: Instance): boolean {
  return instance.text('mesh.audit.seeds') === undefined && seedHistories(instance).length === 0
}

/** Whether nodes of another mesh refuse it: its own mesh may have no other node. */
function isForeign(instance: Instance): boolean {
  const refused = instance.spans('mesh.link.refused')
  return refused.filter(({ attributes }) => attributes['mesh.close.reason'] === 'foreign-mesh').length >= leastForeign
}

/** A seed that dials nobody. */
function isPassive(instance: Instance): boolean {
  const seeds = instance.text('mesh.audit.seeds')
  const hasSeeds = instance.countOf('mesh.seed.dial') > 0 || (Array.isArray(seeds) && seeds.length > 0)
  return instance.role === 'seed' && !hasSeeds
}

function reasonSpans(instance: Instance) {
  return [
    ...instance.spans('mesh.link.refused'),
    ...instance.spans('mesh.seed.retry'),
    ...instance.spans('mesh.seed.giveup'),
  ]
}

function reasonOf(instance: Instance): string {
  const refused = instance.spans('mesh.link.refused').at(-1)
  if (refused !== undefined) return `its links are refused (${refused.attributes['mesh.close.reason']})`
  const failed = reasonSpans(instance).at(-1)
  if (failed !== undefined)
    return `its dials fail (${failed.attributes['mesh.dial.stage']}, ${failed.attributes['error.type']})`
  if (seedHistories(instance).length === 0) return 'it has no seed, and nobody dials it'
  return 'its seeds do not become links'
}
