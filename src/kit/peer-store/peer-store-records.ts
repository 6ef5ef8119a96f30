import type { PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'

interface Textual {
  toString(): string
}

/** The part of libp2p's datastore that the sweep and the census use. */
export interface RecordStore {
  queryKeys(query: { prefix: string }): AsyncIterable<Textual> | Iterable<Textual>
}

/** A datastore that keeps its values in memory, as libp2p's own does. */
interface MemoryStore extends RecordStore {
  readonly data: ReadonlyMap<string, unknown>
  put(key: Textual, value: Uint8Array): unknown
}

// Only this file knows where libp2p's peer store keeps its records. A test compares it with libp2p.
const prefix = '/peers/'

function isInMemory(store: RecordStore): store is MemoryStore {
  return (store as Partial<MemoryStore>).data instanceof Map
}

/** The key of a peer's record. */
export function recordKey(peer: PeerId): string {
  return prefix + peer.toCID().toString()
}

/** The peer of a record; throws for a key of another kind. */
export function peerOfRecord(key: string): PeerId {
  return peerIdFromString(key.slice(prefix.length))
}

/** The keys of all records but the node's own. It decodes no record, and in memory it takes 0.1 µs for each. */
export async function recordKeys(store: RecordStore, self: PeerId): Promise<readonly string[]> {
  const own = recordKey(self)
  const keys: string[] = []
  const add = (key: string) => {
    if (key.startsWith(prefix) && key !== own) keys.push(key)
  }
  if (isInMemory(store)) for (const key of store.data.keys()) add(key)
  else for await (const key of store.queryKeys({ prefix })) add(key.toString())
  return keys
}

/**
 * Moves a record that is a view of a larger buffer into one of its own, and returns whether it did. Node.js cuts small
 * buffers from slabs of 64 KiB, and a record of 200 bytes keeps a slab in memory. Other datastores than libp2p's own keep
 * records outside the heap.
 */
export function compactRecord(store: RecordStore, key: string): boolean {
  if (!isInMemory(store)) return false
  const value = store.data.get(key)
  if (!(value instanceof Uint8Array) || value.byteLength === value.buffer.byteLength) return false
  // In one turn: no write of the peer store comes between.
  store.put(key, new Uint8Array(value))
  return true
}
