import { eachProcess, memoryFinding } from '../judgement/memory-finding.ts'
import { floorsOf, heapBounds, judgeFloors } from '../judgement/memory-floors.ts'
import type { Rule } from '../rule.ts'

/** The heap that major collections leave: the garbage between them says nothing. */
export const heapGrowth: Rule = {
  name: 'heap-growth',
  find: eachProcess((instance) => {
    const floors = floorsOf(instance, 'heap')
    return memoryFinding(instance, floors, judgeFloors(instance, floors, heapBounds), {
      disease: 'heap-growth',
      part: 'heap',
      what: 'the heap after major collections',
    })
  }),
}
