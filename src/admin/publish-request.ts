import * as z from 'zod'
import { topic } from '../kit/rules.ts'

const { expected, schema } = topic()

/** What is posted to be published. How long the text may be, the node says. */
export const publishRequest = z.strictObject({
  topic: z.string(`expected ${expected}`).refine((text) => schema.safeParse(text).success, `expected ${expected}`),
  text: z.string('expected a text').min(1, 'expected a text that is not empty'),
  /** The text alone, without the header of the mesh. */
  raw: z.boolean('expected true or false').default(false),
})
