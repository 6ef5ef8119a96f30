import { floorRule } from '../judgement/memory-finding.ts'

/** Objects of JavaScript that stay. */
export const heapGrowth = floorRule('heap', {
  disease: 'heap-growth',
  part: 'heap',
  what: 'the heap after major collections',
})
