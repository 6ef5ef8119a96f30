import type { AttributeName } from './attributes.ts'

export interface Renamed {
  readonly now: AttributeName
  /** What a number of the old unit is multiplied by. */
  readonly times?: number
}

/**
 * Attributes that spans of the version before have under another name. Readers of traces rename them, the Collector does
 * for rules and boards (`transform/renamed` in `otel/collector.yaml`). To be removed with the next version.
 */
export const renamed: Readonly<Record<string, Renamed>> = {
  'error.message': { now: 'mesh.error.message' },
  'process.memory.rss_mb': { now: 'process.memory.usage', times: 1_048_576 },
  'process.memory.heap_mb': { now: 'v8js.memory.heap.used', times: 1_048_576 },
  'process.loop.delay_p99_ms': { now: 'nodejs.eventloop.delay.p99', times: 0.001 },
  'process.loop.delay_max_ms': { now: 'nodejs.eventloop.delay.max', times: 0.001 },
}

/** The name and value that an attribute of a span of ours has in this version; the same for any other. */
export function renewed<V>(key: string, value: V): readonly [string, V | number] {
  const change = Object.hasOwn(renamed, key) ? renamed[key] : undefined
  if (change === undefined) return [key, value]
  const { now, times } = change
  return [now, times !== undefined && typeof value === 'number' ? value * times : value]
}
