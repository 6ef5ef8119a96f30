import { getEventListeners } from 'node:events'

/** An event target and the types of its events. */
export interface ListenerTarget {
  /** Without ids: targets of one name are added up. */
  readonly name: string
  readonly target: EventTarget
  readonly types: readonly string[]
}

export interface ListenerCounts {
  readonly total: number
  /** The event with the most listeners on one target. */
  readonly largest: { readonly event: string; readonly count: number } | undefined
}

/** Counts the listeners of all targets. */
export function countListeners(targets: Iterable<ListenerTarget>): ListenerCounts {
  let total = 0
  let largest: ListenerCounts['largest']
  for (const { name, target, types } of targets) {
    for (const type of types) {
      const count = listenerCount(target, type)
      total += count
      if (count > (largest?.count ?? 0)) largest = { event: `${name} ${type}`, count }
    }
  }
  return { total, largest }
}

/** libp2p's targets know their number; `getEventListeners` makes a list. */
function listenerCount(target: EventTarget & { listenerCount?(type: string): number }, type: string): number {
  return typeof target.listenerCount === 'function'
    ? target.listenerCount(type)
    : getEventListeners(target, type).length
}

/** Levels of properties and number of objects that `signalsIn` visits at most. */
const searchLimits = { depth: 3, objects: 1_000 } as const

/**
 * Finds the signals that an object and the objects in its properties hold, themselves or by their controllers: they
 * live as long as the object. It calls no getter and does not look into collections.
 */
export function signalsIn(name: string, root: object): ListenerTarget[] {
  const found: ListenerTarget[] = []
  const seen = new Set<unknown>([root])
  let level: readonly (readonly [path: string, object: object])[] = [[name, root]]
  for (let depth = 0; depth < searchLimits.depth; depth++) {
    const next: [string, object][] = []
    for (const [path, object] of level) {
      for (const [key, { value }] of Object.entries(Object.getOwnPropertyDescriptors(object))) {
        if (typeof value !== 'object' || value === null || seen.has(value)) continue
        if (seen.size >= searchLimits.objects) return found
        seen.add(value)
        const signal = signalOf(value)
        if (signal !== undefined) found.push({ name: `${path}.${key}`, target: signal, types: ['abort'] })
        else if (!isCollection(value)) next.push([`${path}.${key}`, value])
      }
    }
    level = next
  }
  return found
}

function signalOf(value: object): AbortSignal | undefined {
  if (value instanceof AbortSignal) return value
  return value instanceof AbortController ? value.signal : undefined
}

function isCollection(value: object): boolean {
  return Array.isArray(value) || ArrayBuffer.isView(value) || value instanceof Map || value instanceof Set
}
