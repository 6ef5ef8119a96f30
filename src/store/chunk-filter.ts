import { hashOf, mayHold, mixed } from './filter.ts'
import { sharedPairs } from './pairs.ts'
import type { Origin, SpanRecord } from './span-types.ts'

/** What a search asks of one span. */
export interface Wanted {
  /** Empty for any. */
  readonly service: string
  readonly name: string
  /** All of them. */
  readonly pairs: readonly string[]
}

/** Whether a chunk with this filter has to be looked at: false only when surely no span of it is wanted. */
export function mayMatch({ service, name, pairs }: Wanted): (filter: Uint8Array) => boolean {
  const ofName = nameHash(name)
  const needed = [
    ...(service === '' ? [] : [mixed(serviceHash(service), ofName)]),
    ...(service === '' && name !== '' ? [ofName] : []),
  ]
  const eitherOf = pairs.map((pair) => hashOf(pair)).map((hash) => [mixed(ofName, hash), resourceHash(hash)] as const)
  return (filter) =>
    needed.every((hash) => mayHold(filter, hash)) &&
    eitherOf.every(([own, shared]) => mayHold(filter, own) || mayHold(filter, shared))
}

/** Of everything that a search can ask for together: a name with a service, a pair with a name, a pair with any name. */
export function hashesOf(batch: readonly SpanRecord[], origins: Iterable<Origin>): Set<number> {
  const hashes = new Set<number>()
  const anyName = nameHash('')
  for (const origin of origins) {
    hashes.add(mixed(serviceHash(origin.service), anyName))
    for (const pair of sharedPairs(origin)) hashes.add(resourceHash(hashOf(pair)))
  }
  for (const record of batch) {
    const name = nameHash(record.name)
    hashes.add(name).add(mixed(serviceHash(record.origin.service), name))
    for (const hash of record.hashes ?? []) {
      hashes.add(mixed(anyName, hash)).add(mixed(name, hash))
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
  return mixed(3, pair)
}
