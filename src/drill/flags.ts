import * as z from 'zod'
import { oneOf, share, whole } from '../kit/rules.ts'
import { type Check, count, decimal } from '../node/config-schemas.ts'
import type { FlagTable } from '../node/flag-table.ts'

/** Scenarios at once: a node costs about a second of CPU to start, then 10 ms/s, and 90 MB. Guess. */
const atOnceMax = 16

/** Every flag of `tracemesh drill` that takes a value. */
export const drillFlags = {
  otlp: { about: 'where the drill’s own nodes send their spans', fallback: 'http://127.0.0.1:4317', ...url() },
  prometheus: { about: 'where rules are evaluated', fallback: 'http://127.0.0.1:9090', ...url() },
  alertmanager: { about: 'where alerts ring', fallback: 'http://127.0.0.1:9093', ...url() },
  'time-factor': {
    about: 'how much shorter the durations of the loaded rules are than of those shipped',
    fallback: '1',
    ...factor(),
  },
  'at-once': {
    about: 'scenarios that run side by side, two to seven nodes each',
    fallback: '4',
    ...count(whole(1, atOnceMax)),
  },
  'trace-routine': {
    about: 'share of the minutes whose routine spans leave the drill’s own nodes; every alert is to ring at any',
    fallback: '1',
    ...decimal(share()),
  },
  stack: {
    about: 'by what services of the stack are stopped and started; alerts about the pipeline are not drilled without',
    fallback: 'none',
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
