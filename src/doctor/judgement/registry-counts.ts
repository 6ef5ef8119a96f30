import type { Instance } from '../evidence/instance.ts'
import type { Point } from '../evidence/series.ts'
import { pointsOf, valueAt } from './growth.ts'

/** The series of one registry of a process. */
export interface Registry {
  readonly instance: Instance
  readonly name: string
  /** Such as `node-1/view`; `application` of a watched collection. */
  readonly owner: string
}

/** Registries that retain entries by design, with the milliseconds: the longest expiry and a sweep. */
export const retentionMs: Readonly<Record<string, number>> = {
  /** Silence of 30 s, then four such windows. */
  members: 160_000,
  disconnected: 180_000,
  relay_seen: 150_000,
  grudges: 3_700_000,
}
/** Registries that are full by design. */
export const rings: readonly string[] = ['messages']

const prefix = 'registry '

/** The registries of the mesh itself: those of the application are in `mesh.audit.applications`. */
export function meshRegistriesOf(instance: Instance): Registry[] {
  return instance
    .registries()
    .filter((one) => !isOfApplication(one) && instance.series(`${one.key} size`) !== undefined)
    .map(({ name, owner }) => ({ instance, name, owner }))
}

/** Whether it is a registry or a watched collection of the application. */
export function isOfApplication({ owner }: Pick<Registry, 'owner'>): boolean {
  return owner === 'application' || owner.endsWith('/application')
}

export function countsOf({ instance, name, owner }: Registry, field: string): readonly Point[] {
  return pointsOf(instance, `${prefix}${name} ${owner} ${field}`, 'unused')
}

/** Last less first. */
export function riseOf(registry: Registry, field: string): number {
  const points = countsOf(registry, field)
  return (points.at(-1)?.value ?? 0) - (points[0]?.value ?? 0)
}

/** What may grow in a registry: its entries, or those that are older than it retains them. */
export function growingPoints(registry: Registry): readonly Point[] {
  const { name } = registry
  if (rings.includes(name)) return []
  const keptMs = retentionMs[name]
  return keptMs === undefined ? countsOf(registry, 'size') : entriesOlderThan(registry, keptMs)
}

/**
 * Entries that were added more than `ms` before each point and are still there, or their successors: what an expiry in
 * that time cannot explain. Members that lived then may live now. A registry that has not been counted for so long has
 * no points.
 */
function entriesOlderThan(registry: Registry, ms: number): readonly Point[] {
  const [sizes, added] = [countsOf(registry, 'size'), countsOf(registry, 'added')]
  const alive = registry.name === 'members' ? pointsOf(registry.instance, 'mesh.audit.members') : []
  const from = (added[0]?.atMs ?? 0) + ms
  return sizes
    .filter(({ atMs }) => atMs >= from)
    .map(({ atMs, value }) => {
      const young = valueAt(added, atMs) - valueAt(added, atMs - ms)
      return { atMs, value: Math.max(0, value - young - valueAt(alive, atMs - ms)) }
    })
}

/** The size of all registries of a name, as the census has it. */
export interface RegistrySize {
  readonly name: string
  readonly points: readonly Point[]
}

/** Sizes of registries whose own spans sampling dropped; without those that retain entries, since only spans say how many. */
export function sizesAlone(instance: Instance): RegistrySize[] {
  const listed = new Set(meshRegistriesOf(instance).map(({ name }) => name))
  return instance.seriesOf(sizePrefix).flatMap(([key]): RegistrySize[] => {
    const name = key.slice(sizePrefix.length, -'.size'.length)
    const isJudged = key.endsWith('.size') && !listed.has(name) && !(name in retentionMs) && !rings.includes(name)
    return isJudged ? [{ name, points: pointsOf(instance, key) }] : []
  })
}

const sizePrefix = 'mesh.registry.'
