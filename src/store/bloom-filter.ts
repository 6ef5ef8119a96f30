/**
 * A Bloom filter over 32-bit hashes of a chunk's spans. It replaces an index of attributes, which would be several
 * times as large as the spans themselves.
 */

/**
 * Fourteen bits and eight probes: about one lookup in 800 is a false positive. A day of the lab has 8,000 chunks;
 * reading all their filters costs more than reading ten chunks in vain.
 */
const bitsPerHash = 14
const probeCount = 8

export function makeFilter(hashes: ReadonlySet<number>): Uint8Array {
  const filter = new Uint8Array(Math.max(8, Math.ceil((hashes.size * bitsPerHash) / 8)))
  for (const hash of hashes) {
    const step = stepOf(hash)
    for (let probe = 0; probe < probeCount; probe++) {
      const bit = bitOf(hash, step, probe, filter.length)
      filter[bit >>> 3] = (filter[bit >>> 3] ?? 0) | (1 << (bit & 7))
    }
  }
  return filter
}

/** False only if the filter surely does not contain the hash. */
export function mayContain(filter: Uint8Array, hash: number): boolean {
  const step = stepOf(hash)
  for (let probe = 0; probe < probeCount; probe++) {
    const bit = bitOf(hash, step, probe, filter.length)
    if (((filter[bit >>> 3] ?? 0) & (1 << (bit & 7))) === 0) return false
  }
  return true
}

/** FNV-1a, over UTF-16 units. */
export function hashOf(text: string, from = 0x811c9dc5): number {
  let hash = from
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

/** 53 bits: the chance that two of a million texts collide is one in 18,000. */
export function fingerprint(text: string): number {
  return hashOf(text) * 2 ** 21 + (scramble(hashOf(text, 7)) >>> 11)
}

/** Combines two hashes; the order matters. */
export function mix(a: number, b: number): number {
  return scramble(Math.imul(a, 0x9e3779b1) ^ b)
}

function bitOf(hash: number, step: number, probe: number, bytes: number): number {
  return ((hash + Math.imul(probe, step)) >>> 0) % (bytes * 8)
}

/** Odd, so that probes do not coincide early. */
function stepOf(hash: number): number {
  return scramble(hash) | 1
}

/** The finalizer of MurmurHash3. */
function scramble(hash: number): number {
  let h = hash
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
