import { type Instance, witnessOf } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { countsIn, grownCollections } from '../judgement/application-counts.ts'
import { growthFinding } from '../judgement/counted-growth.ts'
import { partOf } from '../judgement/growth.ts'
import { brokenSinceMs, numberOf, statementsOf } from '../judgement/statements.ts'
import type { Rule } from '../rule.ts'

/** Collections that the application registered: one above the bound that it set itself, or one that only grows. */
export const applicationCollection: Rule = {
  name: 'application-collection',
  find: ({ instances }) =>
    instances.flatMap((instance) => {
      const stated = statedFindings(instance)
      const named = new Set(stated.map(({ owner }) => owner.part))
      return [...stated, ...grownFindings(instance).filter(({ owner }) => !named.has(owner.part))]
    }),
}

/** The node says it: the size is above the bound of `watch()`, or entries went without their release. */
function statedFindings(instance: Instance): Finding[] {
  return ['registry-bound', 'registry-conserved']
    .flatMap((invariant) => statementsOf(instance, invariant))
    .filter(({ owner }) => owner.startsWith('application '))
    .map((statement): Finding => {
      const { invariant, first, last, owner } = statement
      const [expected, actual] = [numberOf(last, 'mesh.expected'), numberOf(last, 'mesh.actual')]
      return {
        disease: 'application-collection',
        owner: partOf(instance, partNamed(owner.slice('application '.length))),
        certainty: 'certain',
        sinceMs: brokenSinceMs(statement),
        summary: `it has ${actual} entries where ${invariant === 'registry-bound' ? 'its bound is' : 'its counts leave'} ${expected}`,
        proof: [first, last].map(witnessOf),
      }
    })
}

function grownFindings(instance: Instance): Finding[] {
  return grownCollections(instance).map(({ name, found, doubt }): Finding => {
    const text = {
      disease: 'application-collection',
      part: partNamed(name),
      what: 'its entries',
      unit: 'entries',
    } as const
    const finding = growthFinding(instance, found, text)
    const summary = `${finding.summary}${releases(instance, name)}`
    return { ...finding, summary, ...(doubt !== undefined && { certainty: 'insufficient', missing: doubt }) }
  })
}

/** What left a registry meanwhile. */
function releases(instance: Instance, name: string): string {
  const rise = (field: string) => {
    const points = countsIn(instance, name, field)
    const [first, last] = [points[0], points.at(-1)]
    return first === undefined || last === undefined ? undefined : last.value - first.value
  }
  const [added, removed, expired] = [rise('added'), rise('removed'), rise('expired')]
  if (added === undefined) return ''
  return `: ${added} were added, ${removed} removed and ${expired} expired`
}

function partNamed(name: string): string {
  return `application collection ${name}`
}
