import { hashOf, mayContain, mix } from './bloom-filter.ts'
import { sharedPairs } from './pairs.ts'
import type { Origin, SpanRecord } from './span-types.ts'

/** Conditions of a search that one span has to meet. */
export interface SpanCriteria {
  /** Empty means any. */
  readonly service: string
  readonly name: string
  /** The span has to have all of them. */
  readonly pairs: readonly string[]
}

/** Whether a chunk with this filter may contain a matching span; false only if surely none matches. */
export function mayMatch({ service, name, pairs }: SpanCriteria): (filter: Uint8Array) => boolean {
  const hashOfName = nameHash(name)
  const requiredHashes = [
    ...(service === '' ? [] : [mix(serviceHash(service), hashOfName)]),
    ...(service === '' && name !== '' ? [hashOfName] : []),
  ]
  const pairHashes = pairs
    .map((pair) => hashOf(pair))
    .map((hash) => [mix(hashOfName, hash), resourceHash(hash)] as const)
  return (filter) =>
    requiredHashes.every((hash) => mayContain(filter, hash)) &&
    pairHashes.every(([own, shared]) => mayContain(filter, own) || mayContain(filter, shared))
}

/** Hashes of all combinations that a search can query: name with service, pair with name, pair with any name. */
export function hashesOf(batch: readonly SpanRecord[], origins: Iterable<Origin>): Set<number> {
  const hashes = new Set<number>()
  const anyName = nameHash('')
  for (const origin of origins) {
    hashes.add(mix(serviceHash(origin.service), anyName))
    for (const pair of sharedPairs(origin)) hashes.add(resourceHash(hashOf(pair)))
  }
  for (const record of batch) {
    const name = nameHash(record.name)
    hashes.add(name).add(mix(serviceHash(record.origin.service), name))
    for (const hash of record.hashes ?? []) {
      hashes.add(mix(anyName, hash)).add(mix(name, hash))
    }
  }
  return hashes
}

function serviceHash(service: string): number {
  return hashOf(service, 1)
}

function nameHash(name: string): number {
  return hashOf(name, 2)
}

function resourceHash(pair: number): number {
  return mix(3, pair)
}
