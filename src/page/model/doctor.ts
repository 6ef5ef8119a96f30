import type { Growth } from '../../doctor/finding.ts'
import type { Report, ReportedFinding } from '../../doctor/report/report.ts'
import { clock, duration, plural } from './text.ts'

/** Nodes, and problems of a list, that are named; further ones are counted. */
const maxNamed = 6

/** The verdict in a few words. */
export function headline({ verdict, findings }: Pick<Report, 'verdict' | 'findings'>): string {
  const sure = findings.filter(({ certainty }) => certainty !== 'insufficient').length
  if (verdict === 'ill') return plural(sure, 'finding')
  return verdict === 'healthy' ? 'Healthy: nothing found' : 'Unclear: not enough evidence for a verdict'
}

/** Findings that differ in their owner alone: the first one, and the others. */
export interface FindingGroup {
  readonly first: ReportedFinding
  readonly others: readonly ReportedFinding[]
}

/** One fault may be of every node: it is described once. */
export function groupsOf({ findings }: Pick<Report, 'findings'>): readonly FindingGroup[] {
  const groups = Map.groupBy(findings, ({ disease, certainty, owner }) => `${disease} ${certainty} ${owner.mesh}`)
  return [...groups.values()].flatMap(([first, ...others]) => (first === undefined ? [] : [{ first, others }]))
}

/** What the verdict rests on. */
export function basisText({ evidence }: Pick<Report, 'evidence'>): string {
  const { fromMs, toMs, nodes, processes, meshes, spans, read } = evidence
  if (fromMs === null || toMs === null) return `${plural(spans, 'span')}, none of a mesh.`
  const who = `${plural(nodes, 'node')} (${plural(processes, 'process', 'processes')}) of ${named(meshes)}`
  const what = `${plural(spans, 'span')} from ${clock(fromMs)} to ${clock(toMs)}, ${duration(toMs - fromMs)}`
  return `${who}: ${what}. Read: ${read.join('; ')}.`
}

/** Why the evidence may be incomplete, in sentences; the first ones, and how many more. */
export function gapTexts({ evidence }: Pick<Report, 'evidence'>): readonly string[] {
  const { partial, processes, censuses, dropped, omitted } = evidence
  const all = [
    ...partial,
    ...(censuses < processes ? [`${plural(processes - censuses, 'process', 'processes')} without a census`] : []),
    ...(dropped > 0 ? [`${plural(dropped, 'process', 'processes')} found no room`] : []),
    ...(omitted > 0 ? [`${omitted} series found no room`] : []),
  ]
  return all.length > maxNamed ? [...all.slice(0, maxNamed), `${all.length - maxNamed} more`] : all
}

/** How small a leak would have been seen. */
export function resolutionText({ resolution }: Pick<Report, 'resolution'>): string {
  const { heap, external, judged, unjudged } = resolution
  if (judged === 0)
    return 'No process has had four major collections, so a leak that nothing counts would not show: choose a longer time.'
  const limits = [heap && `${smallestText(heap)} of heap`, external && `${smallestText(external)} of buffers`]
  const rest = unjudged === 0 ? '' : ` ${unjudged} of ${judged + unjudged} processes had too few collections.`
  return `A leak that nothing counts would show from ${limits.filter(Boolean).join(', and ')} on.${rest}`
}

function smallestText({ bytes, perEvent }: NonNullable<Report['resolution']['heap']>): string {
  return `${bytesText(bytes)}${perEvent === undefined ? '' : ` (${bytesText(perEvent)} per connection)`}`
}

export function growthText({ from, to, unit, perHour, perEvent }: Growth): string {
  const amount = (value: number) => (unit === 'By' ? bytesText(value) : `${rounded(value)} ${unit}`)
  const each = perEvent === undefined ? '' : `, ${amount(perEvent)} per connection`
  return `from ${amount(from)} to ${amount(to)}: ${amount(perHour)} per hour${each}`
}

/** Titles of the symptoms, each with the nodes that have it. */
export function symptomsText({ symptoms }: Pick<ReportedFinding, 'symptoms'>): string {
  const byTitle = Map.groupBy(symptoms, ({ title }) => title)
  const parts = [...byTitle].map(([title, all]) => {
    const nodes = [...new Set(all.map(({ owner }) => owner.node))].filter((node) => node !== '')
    return nodes.length === 0 ? title : `${title} (${named(nodes)})`
  })
  return parts.join('; ')
}

export function named(names: readonly string[]): string {
  const rest = names.length - maxNamed
  return `${names.slice(0, maxNamed).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}

const units = [
  { bytes: 1e9, name: 'GB' },
  { bytes: 1e6, name: 'MB' },
  { bytes: 1e3, name: 'kB' },
] as const

function bytesText(bytes: number): string {
  const unit = units.find((one) => Math.abs(bytes) >= one.bytes)
  return unit === undefined ? `${Math.round(bytes)} B` : `${rounded(bytes / unit.bytes)} ${unit.name}`
}

function rounded(value: number): string {
  return String(Math.abs(value) >= 10 ? Math.round(value) : Math.round(value * 100) / 100)
}
