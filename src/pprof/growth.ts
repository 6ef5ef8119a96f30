import { MeshError } from '../core/errors.ts'
import type { Owner } from '../core/owner.ts'
import { recordHeapGrowth } from '../evidence/heap-growth.ts'
import { reserveProfiler } from '../evidence/heap-sampling.ts'
import type { GrowthAnswer, GrowthProcess } from './growth-answer.ts'

export interface GrowthRequest {
  readonly seconds: number
  /** Most sites of the answer. */
  readonly sites: number
  /** Also counts objects by constructor. */
  readonly counts: boolean
}

/** The probe itself allocates. */
const own = /[\\/](?:heap-(?:sampling|growth|sites)|growth)\.[jt]s$/

/**
 * Measures what grows in the heap of this process. Rejects with MESH_PROFILE_RUNNING while a profile runs; if `signal`
 * aborts or the owner closes, it ends at once and rejects.
 */
export async function measureGrowth(
  owner: Owner,
  process: GrowthProcess,
  { seconds, sites, counts }: GrowthRequest,
  signal: AbortSignal,
): Promise<GrowthAnswer> {
  const release = reserveProfiler('heap', seconds)
  const closing = new AbortController()
  try {
    const resource = 'growth profile'
    const done = owner.adopt(resource, () =>
      closing.abort(new MeshError('MESH_OWNER_CLOSED', { owner: owner.name, resource })),
    )
    try {
      const both = AbortSignal.any([signal, closing.signal])
      const found = await recordHeapGrowth(seconds * 1_000, counts, both)
      const others = found.sites.filter(({ file }) => !own.test(file))
      const sum = (half: 'middle' | 'end') => others.reduce((bytes, site) => bytes + site[half], 0)
      return {
        format: 1,
        process,
        seconds,
        total: { middle: sum('middle'), end: sum('end') },
        sites: others.slice(0, sites),
        ...(found.counts && { counts: found.counts }),
      }
    } catch (error) {
      closing.signal.throwIfAborted()
      throw error
    } finally {
      await done()
    }
  } finally {
    release()
  }
}
