import type { UnpackedChunk } from './unpack.ts'

/** A search for twenty traces of the lab reads about fifty chunks, most of them twice: 8 MiB. */
const bounds = { chunks: 64, bytes: 8 * 1_024 * 1_024 }

interface CacheEntry {
  readonly id: number
  readonly chunk: UnpackedChunk
}

/** An LRU cache of unpacked chunks; newest last. */
export class ChunkCache {
  #entries: CacheEntry[] = []
  #bytes = 0

  /** The cached chunk, or the result of `read`. */
  get(id: number, read: () => UnpackedChunk): UnpackedChunk {
    const chunk = this.#entries.find((one) => one.id === id)?.chunk ?? read()
    this.remove(id)
    if (chunk.bytes > bounds.bytes) return chunk
    this.#entries.push({ id, chunk })
    this.#bytes += chunk.bytes
    while (this.#entries.length > bounds.chunks || this.#bytes > bounds.bytes) this.remove(this.#entries[0]?.id ?? 0)
    return chunk
  }

  /** Call when the chunk is deleted: another may get its id. */
  remove(id: number): void {
    const at = this.#entries.findIndex((one) => one.id === id)
    const [removed] = at < 0 ? [] : this.#entries.splice(at, 1)
    this.#bytes -= removed?.chunk.bytes ?? 0
  }
}
