import type { Evidence } from '../doctor/evidence/evidence.ts'
import type { Instance } from '../doctor/evidence/instance.ts'
import { everyCensus } from '../doctor/judgement/growth.ts'
import { type Settings, settingsOf } from '../doctor/judgement/settings.ts'
import { currentMs } from '../doctor/judgement/thresholds.ts'

/** What the last censuses before a moment count, by process. */
export interface Reading {
  readonly atMs: number
  readonly processes: readonly ProcessReading[]
}

export interface ProcessReading {
  /** Of this life alone: a restart counts anew. */
  readonly instance: string
  readonly node: string
  /** Time of its last census. */
  readonly censusMs: number
  /** What decides how long it retains entries. */
  readonly settings: Settings
  readonly counts: Readonly<Record<string, number>>
}

/** Totals, which only rise, the load itself, and what is counted under another name too. */
const notCounted =
  /_total$|_bytes$|^mesh\.audit\.(sweeps|frames_|closed\.|refused\.|limits |seeds |dht_|owned |applications .* (?!size)|protocols .* (oldest_s|half_closed)$|sockets$|gossip\.most_topics$|listeners_largest$)/
const counted = /^mesh\.audit\.|^registry .* size$|^mesh\.telemetry\.queued$/
/** Lines of lists are absent while there is nothing to count. */
const line = /^mesh\.audit\.(protocols|applications) /

/** Reads what the processes of a mesh hold at the end of the evidence; those whose last census is old have ended. */
export function readingOf({ instances }: Pick<Evidence, 'instances'>, mesh: string, atMs: number): Reading {
  const running = instances.filter((one) => one.mesh === mesh && hasCensusSince(one, atMs - currentMs))
  return { atMs, processes: running.map(processReading) }
}

function hasCensusSince(instance: Instance, ms: number): boolean {
  const last = instance.series(everyCensus)?.last
  return last !== undefined && last.atMs >= ms && instance.stopMs === Number.POSITIVE_INFINITY
}

function processReading(instance: Instance): ProcessReading {
  const censusMs = instance.series(everyCensus)?.last.atMs ?? 0
  const series = [...instance.seriesOf('mesh.'), ...instance.seriesOf('registry ')]
  const counts = series
    .filter(([key]) => counted.test(key) && !notCounted.test(key))
    .map(([key, { last }]) => [nameOf(key, instance), line.test(key) && last.atMs < censusMs ? 0 : last.value] as const)
  const settings = settingsOf(instance)
  return { instance: instance.key, node: instance.node, censusMs, settings, counts: Object.fromEntries(counts) }
}

/** `registry members node-1/view size` is `registry members of view` at each node. */
function nameOf(key: string, { node }: Instance): string {
  const [, name, owner = ''] = /^registry (\S+) (.*) size$/.exec(key) ?? []
  if (name !== undefined)
    return `registry ${name} of ${owner.startsWith(`${node}/`) ? owner.slice(node.length + 1) : owner}`
  return key
    .replace(/^mesh\.audit\.(applications )?/, '')
    .replace(/^protocols (.*) (in|out)$/, 'streams $1 $2')
    .replace(/ size$/, '')
}
