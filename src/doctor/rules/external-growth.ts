import { floorRule } from '../judgement/memory-finding.ts'

/** Memory outside the heap that stays: buffers, and native objects that report their size. */
export const externalGrowth = floorRule('external', {
  disease: 'external-growth',
  part: 'buffers',
  what: 'the memory outside the heap after major collections',
})
