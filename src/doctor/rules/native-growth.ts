import type { Instance } from '../evidence/instance.ts'
import type { Point } from '../evidence/series.ts'
import { judgeGrowth, pointsOf, valueAt } from '../judgement/growth.ts'
import { isOfLoad } from '../judgement/load.ts'
import { eachProcess, memoryFinding } from '../judgement/memory-finding.ts'
import { slowsDown, warmUpMs } from '../judgement/memory-floors.ts'
import { nativeBounds as bounds } from '../judgement/thresholds.ts'
import type { Rule } from '../rule.ts'

/** Resident memory that neither the heap in use nor the buffers explain. */
export const nativeGrowth: Rule = {
  name: 'native-growth',
  find: eachProcess((instance) => {
    const points = nativeOf(instance)
    const warm = points.filter(({ atMs }) => atMs >= instance.firstMs + warmUpMs)
    const judgement = [judgeGrowth(warm, bounds.warm), judgeGrowth(points, bounds.anytime)].find(
      (one) =>
        one.is === 'rises' && !slowsDown(points, one.rise) && !isOfLoad(instance, points, one.rise, bounds.loads),
    )
    return memoryFinding(instance, points, judgement ?? { is: 'level' }, {
      disease: 'native-growth',
      part: 'native memory',
      what: 'resident memory besides heap and buffers',
    }).map((finding) => ({ ...finding, owner: { ...finding.owner, part: 'native memory' } }))
  }),
}

function nativeOf(instance: Instance): Point[] {
  const [heap, external] = ['v8js.memory.heap.used', 'mesh.memory.external'].map((key) => pointsOf(instance, key))
  return pointsOf(instance, 'process.memory.usage').map(({ atMs, value }) => ({
    atMs,
    value: value - valueAt(heap ?? [], atMs) - valueAt(external ?? [], atMs),
  }))
}
