import type { Instance } from '../evidence/instance.ts'
import type { Point } from '../evidence/series.ts'
import { pointsOf, valueAt } from './growth.ts'
import { type Settings, settingsOf } from './settings.ts'

/** The series of one registry of a process. */
export interface Registry {
  readonly instance: Instance
  readonly name: string
  /** Such as `node-1/view`; `application` of a watched collection. */
  readonly owner: string
}

/** Milliseconds for which registries retain entries by design, the longest expiry and two sweeps. */
const retained: Readonly<Record<string, number>> = {
  disconnected: 180_000,
  relay_seen: 150_000,
  grudges: 3_700_000,
}
/** A member stays for its silence, and then for four such windows. */
const memberWindows = 5

/** For how long a registry retains an entry by design; undefined for one that has no expiry. */
export function retentionMsOf(
  name: string,
  { stalenessMs, sweepMs }: Pick<Settings, 'stalenessMs' | 'sweepMs'>,
): number | undefined {
  if (name === 'members') return memberWindows * stalenessMs + 2 * sweepMs
  return Object.hasOwn(retained, name) ? retained[name] : undefined
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
  const keptMs = retentionMsOf(name, settingsOf(registry.instance))
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
  const settings = settingsOf(instance)
  const listed = new Set(meshRegistriesOf(instance).map(({ name }) => name))
  return instance.seriesOf(sizePrefix).flatMap(([key]): RegistrySize[] => {
    const name = key.slice(sizePrefix.length, -'.size'.length)
    const isJudged =
      key.endsWith('.size') && !listed.has(name) && retentionMsOf(name, settings) === undefined && !rings.includes(name)
    return isJudged ? [{ name, points: pointsOf(instance, key) }] : []
  })
}

const sizePrefix = 'mesh.registry.'
