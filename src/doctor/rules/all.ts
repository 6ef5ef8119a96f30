import type { Rule } from '../rule.ts'
import { linkLeftOpen } from './link-left-open.ts'
import { streamsLeft } from './streams-left.ts'

/** Every rule of the doctor. */
export const rules: readonly Rule[] = [linkLeftOpen, streamsLeft]
