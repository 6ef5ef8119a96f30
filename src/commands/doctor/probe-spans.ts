import { emitSpan, type SpanEffect } from '../../catalogue/span-effect.ts'
import { childOf, newTrace } from '../../core/trace.ts'
import type { Evidence } from '../../doctor/evidence/evidence.ts'
import type { GrowthAnswer, GrowthSite } from '../../pprof/growth-answer.ts'
import type { TraceSpan } from '../../traces/trace.ts'

/** What a probe found. */
export interface Probe {
  readonly answer: GrowthAnswer
  /** When it ended, milliseconds since 1970. */
  readonly endMs: number
  readonly effects: readonly SpanEffect[]
}

/** Sites with spans of their own. */
const maxSites = 10

/** The probe and its sites, to be emitted at once; `nowMs` is monotonic. */
export function probeEffects(answer: GrowthAnswer, nowMs: number): SpanEffect[] {
  const { process, seconds, total, counts = [] } = answer
  const ref = newTrace(Math.random)
  const place = { since: nowMs - seconds * 1_000 }
  return [
    emitSpan(
      'mesh.doctor.probe',
      {
        'mesh.node.name': process.node,
        'mesh.doctor.probe_ms': seconds * 1_000,
        'mesh.doctor.bytes_middle': total.middle,
        'mesh.doctor.bytes_end': total.end,
        'mesh.doctor.counts': counts.map(({ name, middle, end }) => `${name} ${middle} ${end}`),
      },
      { ref, parent: null, ...place },
    ),
    ...growingSites(answer).map((site) =>
      emitSpan('mesh.doctor.site', siteAttributes(answer, site), {
        ref: childOf(ref, Math.random),
        parent: ref,
        ...place,
      }),
    ),
  ]
}

/** The same spans as evidence of the process that was probed; none if the evidence has no such process. */
export function probeEvidence({ answer, endMs, effects }: Probe, evidence: Evidence): TraceSpan[] {
  const { mesh, node, peer } = answer.process
  const [process] = evidence.instances
    .filter((one) => one.mesh === mesh && one.node === node && one.peer === peer)
    .sort((a, b) => b.lastMs - a.lastMs)
  if (process === undefined) return []
  const resource = {
    'service.instance.id': process.id,
    'mesh.node.name': node,
    'mesh.node.incarnation': process.incarnation,
    'mesh.peer.self': peer,
  }
  const durationMs = answer.seconds * 1_000
  return effects.map(
    ({ span, attributes, ref, parent }): TraceSpan => ({
      traceId: ref?.traceId ?? '',
      spanId: ref?.spanId ?? '',
      parentSpanId: parent?.spanId ?? '',
      name: span,
      service: mesh,
      kind: 'internal',
      startMs: endMs - durationMs,
      durationMs,
      attributes: attributes as TraceSpan['attributes'],
      resource,
      scope: { name: 'tracemesh', version: '' },
      links: [],
      status: 'unset',
    }),
  )
}

/** What grew from the middle to the end. */
export function growingSites({ sites }: GrowthAnswer): readonly GrowthSite[] {
  return sites.filter(({ middle, end }) => end > middle).slice(0, maxSites)
}

/** Part of what all functions grew by, from 0 to 1: what shrank has no part. */
export function shareOf({ sites }: GrowthAnswer, { middle, end }: GrowthSite): number {
  const grown = sites.reduce((sum, site) => sum + Math.max(0, site.end - site.middle), 0)
  return grown === 0 ? 0 : Math.round((1_000 * (end - middle)) / grown) / 1_000
}

function siteAttributes(answer: GrowthAnswer, site: GrowthSite) {
  return {
    'mesh.node.name': answer.process.node,
    'code.function.name': site.name,
    'code.file.path': site.file,
    'code.line.number': site.line,
    'mesh.doctor.bytes_middle': site.middle,
    'mesh.doctor.bytes_end': site.end,
    'mesh.doctor.share': shareOf(answer, site),
  }
}
