import { eachProcess, memoryFinding } from '../judgement/memory-finding.ts'
import { externalBounds, floorsOf, judgeFloors } from '../judgement/memory-floors.ts'
import type { Rule } from '../rule.ts'

/** The memory outside the heap that major collections leave: buffers, and native objects that report their size. */
export const externalGrowth: Rule = {
  name: 'external-growth',
  find: eachProcess((instance) => {
    const floors = floorsOf(instance, 'external')
    return memoryFinding(instance, floors, judgeFloors(instance, floors, externalBounds), {
      disease: 'external-growth',
      part: 'buffers',
      what: 'the memory outside the heap after major collections',
    })
  }),
}
