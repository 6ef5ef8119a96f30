import type { Evidence } from '../evidence/evidence.ts'
import { type Instance, witnessOf } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { partOf, pointsOf } from '../judgement/growth.ts'
import { numberOf } from '../judgement/statements.ts'
import type { Rule } from '../rule.ts'

/** Spans between two that arrived, and their part of all: fewer may be in a batch that is still on its way. */
const [many, few] = [
  { spans: 20, part: 0.1 },
  { spans: 5, part: 0.25 },
]

/**
 * Spans that a node says it lost; and numbers that are missing between spans that arrived, if all spans were asked for.
 * A node that is only silent has lost nothing: a later number has to come.
 */
export const telemetryLost: Rule = {
  name: 'telemetry-lost',
  find: (evidence) =>
    evidence.instances.flatMap((instance) => statedFinding(instance) ?? missingFinding(evidence, instance) ?? []),
}

function statedFinding(instance: Instance): Finding | undefined {
  const reports = instance.spans('mesh.telemetry.lost')
  const totals = pointsOf(instance, 'mesh.telemetry.lost_total')
  const [first, last] = [totals[0], totals.at(-1)]
  const counted = (last?.value ?? 0) - (first?.value ?? 0)
  const reported = reports.reduce((sum, span) => sum + numberOf(span, 'mesh.lost.count'), 0)
  const lost = Math.max(counted, reported, last?.value ?? 0)
  if (lost === 0) return undefined
  const where = [...new Set(reports.map(({ attributes }) => String(attributes['mesh.lost.where'])))]
  return {
    disease: 'telemetry-lost',
    owner: partOf(instance, where.length > 0 ? `telemetry, ${where.join(' and ')}` : 'telemetry'),
    certainty: 'certain',
    sinceMs: reports[0]?.startMs ?? totals.find(({ value }) => value > 0)?.atMs,
    lastMs: Math.max(reports.at(-1)?.startMs ?? 0, totals.find(({ value }) => value === last?.value)?.atMs ?? 0),
    summary: `the node lost ${lost} spans before their export`,
    proof: reports.length > 0 ? reports.slice(0, 8).map(witnessOf) : instance.censuses,
  }
}

function missingFinding({ complete, dropped }: Evidence, instance: Instance): Finding | undefined {
  const { missing, count } = instance.seqs
  const isLost = [many, few].some(({ spans, part }) => missing >= spans && missing >= part * (count + missing))
  if (!complete || dropped > 0 || !isLost) return undefined
  return {
    disease: 'telemetry-lost',
    owner: partOf(instance, 'telemetry, after the export'),
    certainty: 'insufficient',
    sinceMs: undefined,
    summary: `${missing} of ${count + missing} spans are missing between those that arrived`,
    proof: instance.censuses,
    missing: 'spans that were lost between the node and their store',
  }
}
