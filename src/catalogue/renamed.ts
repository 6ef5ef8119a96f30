import type { AttributeName } from './attributes.ts'

interface AttributeRename {
  readonly name: AttributeName
  /** Factor from the old unit to the new one. */
  readonly times?: number
}

/**
 * Attributes that have another name in spans of the previous version. Trace readers rename them, and so does the
 * Collector for rules and boards (`transform/renamed` in `otel/collector.yaml`). Remove with the next version.
 */
export const attributeRenames: Readonly<Record<string, AttributeRename>> = {
  'error.message': { name: 'mesh.error.message' },
  // It counts connections, and `mesh.audit.links` counts links.
  'mesh.registry.links.size': { name: 'mesh.registry.connections.size' },
  'process.memory.rss_mb': { name: 'process.memory.usage', times: 1_048_576 },
  'process.memory.heap_mb': { name: 'v8js.memory.heap.used', times: 1_048_576 },
  'process.loop.delay_p99_ms': { name: 'nodejs.eventloop.delay.p99', times: 0.001 },
  'process.loop.delay_max_ms': { name: 'nodejs.eventloop.delay.max', times: 0.001 },
}

/** Name and value of an attribute in this version; unchanged if it was not renamed. */
export function toCurrentAttribute<V>(key: string, value: V): readonly [string, V | number] {
  const change = Object.hasOwn(attributeRenames, key) ? attributeRenames[key] : undefined
  if (change === undefined) return [key, value]
  const { name, times } = change
  return [name, times !== undefined && typeof value === 'number' ? value * times : value]
}
