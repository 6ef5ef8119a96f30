import * as z from 'zod'
import { oneOf, share, whole } from '../kit/rules.ts'
import { type Check, count, decimal } from '../node/config-schemas.ts'
import type { FlagTable } from '../node/flag-table.ts'

/** Scenarios at once: a node costs about a second of CPU to start, then 10 ms/s, and 90 MB. Guess. */
const maxAtOnce = 16

/** Every flag of `tracemesh drill` that takes a value. */
export const drillFlags = {
  otlp: {
    description: 'where the drill’s own nodes send their spans',
    defaultValue: 'http://127.0.0.1:4317',
    ...url(),
  },
  prometheus: { description: 'where rules are evaluated', defaultValue: 'http://127.0.0.1:9090', ...url() },
  alertmanager: { description: 'where alerts ring', defaultValue: 'http://127.0.0.1:9093', ...url() },
  'time-factor': {
    description: 'how much shorter the durations of the loaded rules are than of those shipped',
    defaultValue: '1',
    ...factor(),
  },
  'at-once': {
    description: 'scenarios that run side by side, two to seven nodes each',
    defaultValue: '4',
    ...count(whole(1, maxAtOnce)),
  },
  'trace-routine': {
    description: 'share of the minutes whose routine spans leave the drill’s own nodes; every alert is to ring at any',
    defaultValue: '1',
    ...decimal(share()),
  },
  stack: {
    description:
      'by what services of the stack are stopped and started; alerts about the pipeline are not drilled without',
    defaultValue: 'none',
    ...oneOf(['none', 'compose']),
  },
} as const satisfies FlagTable

function url(): Check<string> {
  const schema = z.string().refine((text) => /^https?:$/.test(URL.parse(text)?.protocol ?? ''))
  return { expected: 'an http:// or https:// URL', schema }
}

function factor(): Check<number> {
  const schema = z
    .string()
    .regex(/^\d(\.\d{1,4})?$/)
    .transform(Number)
    .pipe(z.number().min(0.001).max(1))
  return { expected: 'a number from 0.001 to 1', schema }
}
