import * as z from 'zod'
import { topic } from '../kit/rules.ts'

const { expected, schema } = topic()

/** Body of a publish request. The node checks the length of the text. */
export const publishRequest = z.strictObject({
  topic: z.string(`expected ${expected}`).refine((text) => schema.safeParse(text).success, `expected ${expected}`),
  text: z.string('expected a text').min(1, 'expected a text that is not empty'),
  /** Publishes the text without the header of the mesh. */
  raw: z.boolean('expected true or false').default(false),
})
