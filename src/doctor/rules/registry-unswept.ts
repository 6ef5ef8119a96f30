import type { Evidence } from '../evidence/evidence.ts'
import { type Instance, witnessOf } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { growthFinding, growthOfPoints } from '../judgement/counted-growth.ts'
import { partOf } from '../judgement/growth.ts'
import {
  countsOf,
  growingPoints,
  meshRegistriesOf,
  type Registry,
  retentionMsOf,
  riseOf,
  sizesAlone,
} from '../judgement/registry-counts.ts'
import { settingsOf } from '../judgement/settings.ts'
import { brokenSinceMs, statementsOf } from '../judgement/statements.ts'
import { thresholds } from '../judgement/thresholds.ts'
import type { Rule } from '../rule.ts'

/** Of how many processes a registry grows before one cause is assumed, and part of all. */
const [leastEverywhere, partEverywhere] = [3, 0.6]

/**
 * Registries whose counts do not add up, as the node says; and those in which entries stay: more are added than
 * released, beyond the load and what the registry retains by design.
 */
export const registryUnswept: Rule = {
  name: 'registry-unswept',
  find(evidence) {
    const stated = evidence.instances
      .flatMap((instance) => statementsOf(instance, 'registry-conserved'))
      .flatMap(statedFinding)
    const grown = evidence.instances.flatMap(meshRegistriesOf).flatMap(grownFinding)
    return [...stated, ...joinFindings(evidence, grown), ...evidence.instances.flatMap(sizeFindings)]
  },
}

function statedFinding(statement: ReturnType<typeof statementsOf>[number]): Finding[] {
  const { instance, owner, first, last } = statement
  if (owner.startsWith('application ')) return []
  const { 'mesh.expected': expected, 'mesh.actual': actual } = last.attributes
  return [
    {
      disease: 'registry-unswept',
      owner: partOf(instance, `registry ${owner.split(' ').at(-1)} of ${owner.split(' ').slice(0, -1).join(' ')}`),
      certainty: 'certain',
      sinceMs: brokenSinceMs(statement),
      summary: `it has ${actual} entries where added less released is ${expected}`,
      proof: [first, last].map(witnessOf),
    },
  ]
}

/** A registry that grows, with its kind: its name and its owner without the node. */
interface RegistryFinding {
  readonly registry: Registry
  readonly kind: string
  readonly finding: Finding
}

function grownFinding(registry: Registry): RegistryFinding[] {
  const { instance, name, owner } = registry
  const keptMs = retentionMsOf(name, settingsOf(instance))
  const found = growthOfPoints(
    instance,
    growingPoints(registry),
    name === 'members' ? thresholds.members : thresholds.registry,
  )
  if (found === undefined) return fullFinding(registry)
  const finding = growthFinding(instance, found, {
    disease: 'registry-unswept',
    part: `registry ${name} of ${owner}`,
    what: keptMs === undefined ? 'its entries' : `its entries older than ${Math.round(keptMs / 1_000)} s`,
    unit: 'entries',
  })
  const summary = `${finding.summary}: ${riseOf(registry, 'added')} were added, ${releasesOf(registry)}`
  return [
    {
      registry,
      kind: kindOf(registry),
      finding: { ...finding, summary },
    },
  ]
}

/** Where sampling drops the spans of registries, the census has their sizes, and no owner. */
function sizeFindings(instance: Instance): Finding[] {
  return sizesAlone(instance).flatMap(({ name, points }): Finding[] => {
    const found = growthOfPoints(instance, points, thresholds.registry)
    if (found === undefined) return []
    const text = {
      disease: 'registry-unswept',
      part: `registry ${name}`,
      what: 'its entries',
      unit: 'entries',
    } as const
    return [growthFinding(instance, found, text)]
  })
}

/** Registries that a busy node fills by design: their entries make room for newer ones. */
const makesRoom = ['messages', 'relay_seen', 'relay_waiting', 'grudges', 'disconnected', 'unanswered']

/** A full registry evicts an entry for each that comes: it no longer grows, and nothing else empties it. */
function fullFinding(registry: Registry): RegistryFinding[] {
  const { instance, name, owner } = registry
  const [sizes, capacities] = [countsOf(registry, 'size'), countsOf(registry, 'capacity')]
  const [size, capacity] = [sizes.at(-1), capacities.at(-1)]
  const others = ['removed', 'expired', 'replaced'].reduce((sum, reason) => sum + riseOf(registry, reason), 0)
  const evicted = riseOf(registry, 'evicted')
  if (makesRoom.includes(name) || size === undefined || capacity === undefined) return []
  if (size.value < capacity.value || evicted < thresholds.registry.least || others > 0) return []
  const finding: Finding = {
    disease: 'registry-unswept',
    owner: partOf(instance, `registry ${name} of ${owner}`),
    certainty: 'likely',
    sinceMs: sizes.find(({ value }) => value >= capacity.value)?.atMs,
    summary: `it is full with ${size.value} entries: ${evicted} were evicted, and none removed or expired`,
    proof: instance.censuses,
  }
  return [{ registry, kind: kindOf(registry), finding }]
}

function kindOf({ instance, name, owner }: Registry): string {
  return `${instance.mesh} ${name} ${owner.split('/').slice(1).join('/')}`
}

function releasesOf(registry: Registry): string {
  return ['removed', 'expired', 'evicted'].map((reason) => `${riseOf(registry, reason)} ${reason}`).join(', ')
}

/** A registry that grows nearly everywhere has one cause: the node where it began first. */
function joinFindings({ instances }: Evidence, all: readonly RegistryFinding[]): Finding[] {
  return [...Map.groupBy(all, ({ kind }) => kind).values()].flatMap((grown): Finding[] => {
    const running = instances.filter(
      ({ mesh, censuses }) => mesh === grown[0]?.finding.owner.mesh && censuses.length === 2,
    )
    const [first, ...others] = grown.map(({ finding }) => finding).sort((a, b) => (a.sinceMs ?? 0) - (b.sinceMs ?? 0))
    if (first === undefined) return []
    const isEverywhere = grown.length >= leastEverywhere && grown.length >= partEverywhere * running.length
    if (!isEverywhere) return [first, ...others]
    return [{ ...first, alsoAt: [...new Set(others.map(({ owner }) => owner.node))] }]
  })
}
