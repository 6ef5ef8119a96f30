import type { Evidence } from '../evidence/evidence.ts'
import type { Instance } from '../evidence/instance.ts'

/** Why spans of a process may be missing from the evidence, in words; undefined if they are all there. */
export function missingSpans(evidence: Pick<Evidence, 'complete' | 'partial'>, instance: Instance): string | undefined {
  const { missing } = instance.seqs
  if (evidence.complete && missing > 0)
    return `${missing} spans of ${instance.node}, of which one may be what a rule misses`
  const lost = instance.series('mesh.telemetry.lost_total')?.last.value ?? 0
  if (lost > 0) return `${lost} spans that ${instance.node} lost, of which one may be what a rule misses`
  return evidence.partial[0]
}

/** Spans that a node emits only with a link. */
const linkSigns = ['mesh.hello.received', 'mesh.member.joined'] as const

/** Since when the process has no link, until its last census; undefined if it has one, or says nothing. */
export function withoutLinksSince(instance: Instance): number | undefined {
  const sinceMs = zeroSince(instance, 'mesh.audit.links')
  if (sinceMs === undefined) return undefined
  // Censuses are thinned out over long times, and may be missing; a link between two of them counts, too.
  const signs = linkSigns.flatMap((name) => instance.spans(name).at(-1)?.startMs ?? [])
  return signs.some((atMs) => atMs > sinceMs) ? undefined : sinceMs
}

/** The same for connections of any kind: only then seeds are dialled as by a node that is alone. */
export function withoutPeersSince(instance: Instance): number | undefined {
  const times = [
    withoutLinksSince(instance),
    ...['mesh.audit.guests', 'mesh.audit.unsettled'].map((name) =>
      instance.series(name) === undefined ? Number.NEGATIVE_INFINITY : zeroSince(instance, name),
    ),
  ]
  return times.reduce((latest, one) => (one === undefined || latest === undefined ? undefined : Math.max(latest, one)))
}

function zeroSince(instance: Instance, attribute: string): number | undefined {
  const series = instance.series(attribute)
  if (series === undefined || series.last.value > 0) return undefined
  const points = series.points()
  const lastLinked = points.findLastIndex(({ value }) => value > 0)
  // A node that never had any had none before its first census, either.
  return lastLinked < 0 ? instance.firstMs : (points[lastLinked + 1]?.atMs ?? series.last.atMs)
}

/** Milliseconds after a time for which the process did not run. */
export function sleptAfter(instance: Instance, ms: number): number {
  return instance
    .spans('mesh.node.stalled')
    .filter(({ startMs }) => startMs >= ms)
    .reduce((sum, { attributes }) => sum + Number(attributes['mesh.stall.slept_ms'] ?? 0), 0)
}

/** Clocks of two machines differ by less. */
const clockMs = 20_000

/** Whether a second process has the identity of this one, as any node says, or as the spans of both show. */
export function sharesIdentity({ instances }: Pick<Evidence, 'instances'>, instance: Instance): boolean {
  const { mesh, peer, firstMs, lastMs } = instance
  if (instance.countOf('mesh.identity.conflict') > 0) return true
  return instances.some((one) => {
    if (one === instance || one.mesh !== mesh || peer === '') return false
    const overlapMs = Math.min(one.lastMs, lastMs) - Math.max(one.firstMs, firstMs)
    if (one.peer === peer && overlapMs > clockMs) return true
    return one.spans('mesh.identity.conflict').some(({ attributes }) => attributes['mesh.peer.id'] === peer)
  })
}

export function hasStopped(instance: Instance): boolean {
  return instance.countOf('mesh.node.stopped') > 0
}
