import type { AttributeName } from './attributes.ts'

export interface AttributeRename {
  readonly name: AttributeName
  /** What a number of the old unit is multiplied by. */
  readonly times?: number
}

/**
 * Attributes that spans of the version before have under another name. Readers of traces rename them, the Collector does
 * for rules and boards (`transform/renamed` in `otel/collector.yaml`). To be removed with the next version.
 */
export const attributeRenames: Readonly<Record<string, AttributeRename>> = {
  'error.message': { name: 'mesh.error.message' },
  'process.memory.rss_mb': { name: 'process.memory.usage', times: 1_048_576 },
  'process.memory.heap_mb': { name: 'v8js.memory.heap.used', times: 1_048_576 },
  'process.loop.delay_p99_ms': { name: 'nodejs.eventloop.delay.p99', times: 0.001 },
  'process.loop.delay_max_ms': { name: 'nodejs.eventloop.delay.max', times: 0.001 },
}

/** The name and value that an attribute of a span of ours has in this version; the same for any other. */
export function toCurrentAttribute<V>(key: string, value: V): readonly [string, V | number] {
  const change = Object.hasOwn(attributeRenames, key) ? attributeRenames[key] : undefined
  if (change === undefined) return [key, value]
  const { name: now, times } = change
  return [now, times !== undefined && typeof value === 'number' ? value * times : value]
}
