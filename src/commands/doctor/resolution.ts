import type { Evidence } from '../../doctor/evidence/evidence.ts'
import { type Resolution, resolutionsOf } from '../../doctor/resolution.ts'

/** What a leak of memory that nothing counts would have had to reach to be seen, in all processes. */
export interface Resolutions {
  /** Processes with enough floors, and those without. */
  readonly judged: number
  readonly unjudged: number
  /** Of the process where it is largest; undefined without a judged one. */
  readonly heap: OfNode | undefined
  readonly external: OfNode | undefined
}

interface OfNode extends Resolution {
  readonly node: string
  readonly bytes: number
}

export function resolutionsIn({ instances }: Evidence): Resolutions {
  const all = instances.flatMap((instance) => resolutionsOf(instance).map((one) => ({ ...one, node: instance.node })))
  const judged = all.filter((one): one is OfNode => one.bytes !== undefined)
  const largest = (kind: Resolution['kind']) =>
    judged.filter((one) => one.kind === kind).toSorted((a, b) => b.bytes - a.bytes)[0]
  const heaps = judged.filter(({ kind }) => kind === 'heap').length
  return { judged: heaps, unjudged: instances.length - heaps, heap: largest('heap'), external: largest('external') }
}
