import type { Unpacked } from './unpack.ts'

/** A search that tells twenty traces of the lab looks at about fifty chunks, most of them twice: these are 8 MiB. */
const bounds = { chunks: 64, bytes: 8 * 1_024 * 1_024 }

interface Cached {
  readonly id: number
  readonly chunk: Unpacked
}

/** Chunks that were looked at last, unpacked; newest last. */
export class ChunkCache {
  #cached: Cached[] = []
  #bytes = 0

  /** What is held of a chunk, or what `read` says it is. */
  get(id: number, read: () => Unpacked): Unpacked {
    const chunk = this.#cached.find((one) => one.id === id)?.chunk ?? read()
    this.remove(id)
    if (chunk.bytes > bounds.bytes) return chunk
    this.#cached.push({ id, chunk })
    this.#bytes += chunk.bytes
    while (this.#cached.length > bounds.chunks || this.#bytes > bounds.bytes) this.remove(this.#cached[0]?.id ?? 0)
    return chunk
  }

  /** The chunk is gone, and its id may be another's. */
  remove(id: number): void {
    const at = this.#cached.findIndex((one) => one.id === id)
    const [gone] = at < 0 ? [] : this.#cached.splice(at, 1)
    this.#bytes -= gone?.chunk.bytes ?? 0
  }
}
