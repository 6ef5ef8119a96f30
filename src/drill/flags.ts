import * as z from 'zod'
import { oneOf, share, whole } from '../kit/rules.ts'
import { type Check, count, decimal, httpUrl } from '../node/config-schemas.ts'
import type { FlagTable } from '../node/flag-table.ts'

/** Concurrent scenarios: a node costs about a second of CPU to start, then 10 ms/s, and 90 MB. Guess. */
const maxAtOnce = 16

/** Every flag of `tracemesh drill` that takes a value. */
export const drillFlags = {
  otlp: {
    description: 'OTLP endpoint of the drill’s own nodes',
    defaultValue: 'http://127.0.0.1:4317',
    ...httpUrl(),
  },
  prometheus: { description: 'URL of Prometheus', defaultValue: 'http://127.0.0.1:9090', ...httpUrl() },
  alertmanager: { description: 'URL of Alertmanager', defaultValue: 'http://127.0.0.1:9093', ...httpUrl() },
  'time-factor': {
    description: 'durations of the loaded rules relative to the shipped rules',
    defaultValue: '1',
    ...factor(),
  },
  'at-once': {
    description: 'concurrent scenarios, two to seven nodes each',
    defaultValue: '4',
    ...count(whole(1, maxAtOnce)),
  },
  'trace-routine': {
    description:
      'share of the minutes whose routine spans the drill’s own nodes export; every alert must fire at any share',
    defaultValue: '1',
    ...decimal(share()),
  },
  stack: {
    description: 'how to stop and start services of the stack; alerts about the pipeline need it',
    defaultValue: 'none',
    ...oneOf(['none', 'compose']),
  },
} as const satisfies FlagTable

function factor(): Check<number> {
  const schema = z
    .string()
    .regex(/^\d(\.\d{1,4})?$/)
    .transform(Number)
    .pipe(z.number().min(0.001).max(1))
  return { expected: 'a number from 0.001 to 1', schema }
}
