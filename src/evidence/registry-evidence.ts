import { ageBand, sizeBand } from '../catalogue/bands.ts'
import type { RegistryName } from '../catalogue/registries.ts'
import { emitSpan, type SpanEffect } from '../catalogue/span-effect.ts'
import type { RegistryCensus } from '../core/owned-map.ts'
import type { Inventory } from '../core/owner.ts'
import type { TraceRef } from '../core/trace.ts'
import type { CensusPart } from './census.ts'
import { equal } from './invariants.ts'

/** Lines of `mesh.audit.owned`. */
const maxOwned = 32

/** Everything with an owner: registries, timers, resources. */
export function registryEvidence({ registries, resources, totals }: Inventory): CensusPart {
  const held = registries.length + resources.length
  return {
    attributes: {
      ...sizesOf(registries),
      'mesh.audit.owned': heldByOwner(resources),
      'mesh.audit.adopted_total': totals.adopted,
      'mesh.audit.released_total': totals.released,
    },
    // An unused registry says nothing that its size on the census does not say.
    children: (audit) =>
      registries
        .filter(({ added }) => added > 0)
        .map((registry) => registrySpan(`mesh.audit.${registry.name}`, registry, audit)),
    invariants: [
      equal({ name: 'owned-conserved', owner: 'owner', expected: totals.adopted - totals.released, actual: held }),
      ...registries.map(({ name, owner, added, released, size }) =>
        equal({ name: 'registry-conserved', owner: `${owner} ${name}`, expected: added - released, actual: size }),
      ),
    ],
  }
}

/** Adds up registries of one name: a bridge has one per mesh. */
function sizesOf(registries: readonly RegistryCensus[]) {
  const sizes: Partial<Record<`mesh.registry.${RegistryName}.size`, number>> = {}
  for (const { name, size } of registries) {
    const key = `mesh.registry.${name}.size` as const
    sizes[key] = (sizes[key] ?? 0) + size
  }
  return sizes
}

function heldByOwner(resources: Inventory['resources']): readonly string[] {
  const groups = Map.groupBy(resources, ({ owner, kind }) => `${owner} ${kind}`)
  return [...groups]
    .toSorted(([, a], [, b]) => b.length - a.length)
    .slice(0, maxOwned)
    .map(([key, { length }]) => `${key} ${length}`)
}

/** The registry's name ends the span's name; all registry spans carry the same attributes. */
export function registrySpan(
  span: `mesh.audit.${RegistryName}`,
  registry: RegistryCensus,
  parent: TraceRef,
): SpanEffect {
  const attributes = { 'mesh.registry.owner': registry.owner, ...countsOf(registry) }
  return emitSpan(span, attributes, { parent })
}

/** Attributes of one registry: its size, and the counts of releases by reason. */
export function countsOf(registry: RegistryCensus<string>) {
  const { replaced, removed, expired, evicted, closed } = registry.byReason
  return {
    'mesh.registry.name': registry.name,
    'mesh.registry.size': registry.size,
    'mesh.registry.size_band': sizeBand(registry.size),
    'mesh.registry.capacity': registry.capacity,
    'mesh.registry.high': registry.highWaterMark,
    'mesh.registry.added': registry.added,
    'mesh.registry.released': registry.released,
    'mesh.registry.replaced': replaced,
    'mesh.registry.removed': removed,
    'mesh.registry.expired': expired,
    'mesh.registry.evicted': evicted,
    'mesh.registry.closed': closed,
    'mesh.registry.oldest_band': ageBand(registry.oldestMs),
  }
}
