import type { Instance } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { type Count, growthFinding, growthIn } from '../judgement/counted-growth.ts'
import { thresholds } from '../judgement/thresholds.ts'
import type { Rule } from '../rule.ts'

/**
 * Listeners on targets that outlive a call.
 */
const counts: readonly (Count & { readonly part: string; readonly what: string })[] = [
  {
    key: 'mesh.audit.listeners',
    ...thresholds.listeners,
    part: 'listeners on libp2p',
    what: 'listeners on events of libp2p, gossipsub and the listening sockets',
  },
  {
    key: 'mesh.audit.listeners_signals',
    ...thresholds.signals,
    part: 'listeners on signals',
    what: 'listeners on abort signals that live as long as their owners',
  },
  {
    key: 'mesh.audit.listeners_connections',
    ...thresholds.connectionListeners,
    part: 'listeners on connections',
    what: 'listeners on connections and their streams',
  },
]

export const listenersLeft: Rule = {
  name: 'listeners-left',
  find: ({ instances }) => instances.flatMap((instance) => findingOf(instance) ?? []),
}

/** The first of the counts that grows: a listener on a stream comes with the stream. */
function findingOf(instance: Instance): Finding | undefined {
  for (const { part, what, ...count } of counts) {
    const found = growthIn(instance, count)
    if (found === undefined) continue
    const finding = growthFinding(instance, found, { disease: 'listeners-left', part, what, unit: 'listeners' })
    const event = instance.text('mesh.audit.listeners_largest_event')
    const largest = growthIn(instance, { key: 'mesh.audit.listeners_largest', least: count.least, perConnection: 0 })
    if (event === undefined || largest === undefined) return finding
    return {
      ...finding,
      owner: { ...finding.owner, part: `${part}: ${event}` },
      summary: `${finding.summary}; most are on ${event}`,
    }
  }
  return undefined
}
