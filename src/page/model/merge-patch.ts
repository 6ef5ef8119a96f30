/** A change of a JSON object as RFC 7396 has it: null removes a member, any other value but an object replaces it. */
export type MergePatch = Readonly<Record<string, unknown>>

/** The change from `before` to `after`, both without nulls; undefined if they are equal. */
export function mergePatch(before: unknown, after: unknown): unknown {
  if (!isRecord(before) || !isRecord(after)) {
    return JSON.stringify(before) === JSON.stringify(after) ? undefined : after
  }
  const removed = Object.keys(before).filter((key) => !Object.hasOwn(after, key))
  const changed = Object.entries(after).flatMap(([key, value]) => {
    const patch = Object.hasOwn(before, key) ? mergePatch(before[key], value) : value
    return patch === undefined ? [] : [[key, patch] as const]
  })
  const entries = [...removed.map((key) => [key, null] as const), ...changed]
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}

/** `target` with the change. What the patch leaves alone stays the same object; new members come last. */
export function applyPatch(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch
  // A map, since a peer may choose a key such as __proto__.
  const members = new Map(isRecord(target) ? Object.entries(target) : [])
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) members.delete(key)
    else members.set(key, applyPatch(members.get(key), value))
  }
  return Object.fromEntries(members)
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
