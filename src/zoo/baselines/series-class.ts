import type { DiseaseName } from '../../doctor/diseases.ts'

/** What a baseline calls the growth of a series. It is generous: every series of the census has a name. */
const classes: readonly (readonly [RegExp, DiseaseName])[] = [
  [/external|array_buffers/, 'external-growth'],
  [/heap/, 'heap-growth'],
  [/rss|memory/, 'native-growth'],
  [/sockets/, 'sockets-left'],
  [/descriptors/, 'descriptors-left'],
  [/timers/, 'timers-left'],
  [/listeners/, 'listeners-left'],
  [/protocols|streams/, 'streams-left'],
  [/applications|^registry \S+ application/, 'application-collection'],
  [/^registry/, 'registry-unswept'],
  [/peer_store/, 'peer-store-unswept'],
  [/subscriptions|topics/, 'topics-left'],
  [/gossip/, 'gossip-ghosts'],
  [/owned|adopted/, 'owned-left'],
  [/seeds/, 'retry-storm'],
  [/cpu/, 'busy-alone'],
  [/connections|links|opened|closed/, 'link-left-open'],
]

export function classOf(key: string): DiseaseName {
  return classes.find(([pattern]) => pattern.test(key))?.[1] ?? 'growth-unknown'
}

/** Counters that rise in every node that lives. */
export function isCounter(key: string): boolean {
  return /_total|uptime|added|released|sweeps|seq|frames|sent|received|oldest|_ms$|cpu\.time|capacity|high$|replaced|removed|expired|evicted|pid/.test(
    key,
  )
}
