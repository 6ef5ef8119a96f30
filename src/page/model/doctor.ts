import type { FindingOwner, Growth } from '../../doctor/finding.ts'
import { bytesText, rounded } from '../../doctor/report/amounts.ts'
import type { Report, ReportedFinding, ReportedProcess } from '../../doctor/report/report.ts'
import { clock, duration, plural, shortId, zoneName } from './text.ts'

/** Nodes, and problems of a list, that are named; further ones are counted. */
const maxNamed = 6

/** The verdict in a few words. */
export function headline({ verdict, findings }: Pick<Report, 'verdict' | 'findings'>): string {
  const sure = findings.filter(({ certainty }) => certainty !== 'insufficient').length
  if (verdict === 'ill') return `ill: ${plural(sure, 'finding')}`
  return verdict === 'healthy' ? 'healthy: nothing found' : 'unclear: not enough evidence for a verdict'
}

export const certaintyText = { certain: 'certain', likely: 'likely', insufficient: 'not enough evidence' } as const

/** Findings that differ in their owner alone: the first one, and the others. */
export interface FindingGroup {
  readonly first: ReportedFinding
  readonly others: readonly ReportedFinding[]
}

/** One fault may be of every node: it is described once. */
export function groupsOf(findings: readonly ReportedFinding[]): readonly FindingGroup[] {
  const groups = Map.groupBy(findings, ({ disease, certainty, owner }) => `${disease} ${certainty} ${owner.mesh}`)
  return [...groups.values()].flatMap(([first, ...others]) => (first === undefined ? [] : [{ first, others }]))
}

export function ownerText({ mesh, node, part }: FindingOwner): string {
  return node === '' ? `${part}, of ${mesh}` : `${part} at ${node} of ${mesh}`
}

/** Which process of a node: its instance finds its spans in Jaeger. */
export function processText({ instance, peer, fromMs, toMs }: ReportedProcess): string {
  const id = peer === '' ? '' : ` (peer ${shortId(peer)})`
  return `${instance}${id}, ${clock(fromMs)} to ${clock(toMs)}`
}

/** Further owners of one fault. */
export function othersText(others: readonly ReportedFinding[]): string {
  return listText(
    others.map(({ owner, process }) => {
      const of = process === undefined ? '' : ` (process ${process.instance})`
      return `${owner.part} at ${owner.node}${of}`
    }),
  )
}

export function sinceText({ sinceMs }: Pick<ReportedFinding, 'sinceMs'>): string {
  return sinceMs === undefined ? 'before the first span' : `${clock(sinceMs)} ${zoneName(sinceMs)}`
}

/** Nodes and spans that a verdict rests on. */
export function scopeText({ evidence }: Pick<Report, 'evidence'>): string {
  const { fromMs, toMs, nodes, processes, meshes, spans, churnEvents } = evidence
  if (fromMs === null || toMs === null) return `${plural(spans, 'span')}, none of a mesh`
  const who = `${plural(nodes, 'node')} (${plural(processes, 'process', 'processes')}) of ${listText(meshes)}`
  const period = `${clock(fromMs)} to ${clock(toMs)} ${zoneName(toMs)}, ${duration(toMs - fromMs)}`
  return `${who}, ${plural(spans, 'span')}, ${plural(churnEvents, 'connection')} opened, ${period}`
}

/** What was read, and what that cost. */
export function readingText({ evidence: { read, bytes, requests } }: Pick<Report, 'evidence'>): string {
  const asked = requests === 0 ? '' : ` in ${plural(requests, 'request')}`
  return `${read.join('; ')}: ${bytesText(bytes)}${asked}`
}

/** What makes nodes of one name, or of two builds, easy to confuse. */
export function mixtureTexts({ evidence: { versions, sharedNames } }: Pick<Report, 'evidence'>): readonly string[] {
  return [
    ...(versions.length > 1 ? [`${versions.length} builds are mixed: ${listText(versions)}`] : []),
    ...(sharedNames.length > 0
      ? [`several processes at once have the name ${listText(sharedNames)}: give each node a name of its own`]
      : []),
  ]
}

/** Why the evidence may be incomplete; the first reasons, and how many more. */
export function gapTexts({ evidence }: Pick<Report, 'evidence'>): readonly string[] {
  const { processes, censuses, dropped, omitted, duplicates } = evidence
  const count = (number: number) => plural(number, 'process', 'processes')
  const problems = problemTexts(evidence.partial)
  const more = problems.length > maxNamed ? [`${problems.length - maxNamed} more problems`] : []
  return [
    ...problems.slice(0, maxNamed),
    ...more,
    ...(censuses < processes ? [`${count(processes - censuses)} without a census`] : []),
    ...(dropped > 0 ? [`${count(dropped)} found no room`] : []),
    ...(omitted > 0 ? [`${omitted} series found no room`] : []),
    ...(duplicates > 0 ? [`${plural(duplicates, 'span')} came twice`] : []),
  ]
}

/** One problem that several questions met is one line; what its address asks is in the question already. */
function problemTexts(partial: readonly string[]): readonly string[] {
  const parts = partial.map((problem) => {
    const text = problem.replaceAll(/(https?:\/\/[^\s?]+)\?[^\s:;,)]*/g, '$1')
    const [, question = '', cause = ''] = /^(.{1,80}?): (.+)$/s.exec(text) ?? []
    return cause === '' ? { question: '', cause: text } : { question, cause }
  })
  return [...Map.groupBy(parts, ({ cause }) => cause)].map(([cause, all]) => {
    const questions = [...new Set(all.map(({ question }) => question))].filter((question) => question !== '')
    const rest = questions.length > 2 ? ` and ${questions.length - 2} more` : ''
    const of = questions.slice(0, 2).join('; ')
    return of === '' ? cause : `${of}${rest}: ${cause}`
  })
}

/** How small a leak would have been seen. */
export function resolutionText({ resolution }: Pick<Report, 'resolution'>): string {
  return [memoryResolution(resolution), countResolution(resolution)].filter((text) => text !== '').join('; ')
}

function countResolution({ counts }: Report['resolution']): string {
  if (counts === undefined) return ''
  const { entries, perHour, perEvent, node } = counts
  const each = perEvent === undefined ? '' : `, ${perEvent} per connection`
  return `one of something counted from ${entries} entries on (${perHour} per hour${each}, at ${node})`
}

function memoryResolution({ heap, external, processesWith, processesWithout }: Report['resolution']): string {
  if (processesWith === 0)
    return 'no process has four floors after major collections: a leak that nothing counts would not show in so short a time'
  const limits = [heap && `${smallestText(heap)} of heap`, external && `${smallestText(external)} of buffers`]
  const all = processesWith + processesWithout
  const rest = processesWithout === 0 ? '' : `; ${processesWithout} of ${all} processes have too few floors`
  return `a leak that nothing counts would show from ${limits.filter(Boolean).join(', and ')} on${rest}`
}

function smallestText({ bytes, perHour = 0, perEvent, node }: NonNullable<Report['resolution']['heap']>): string {
  const each = perEvent === undefined ? '' : `, ${bytesText(perEvent)} per connection`
  return `${bytesText(bytes)} (${bytesText(perHour)} per hour${each}, at ${node})`
}

export function growthText({ from, to, unit, perHour, perEvent }: Growth): string {
  const each = perEvent === undefined ? '' : `, ${amountText(perEvent, unit)} per connection`
  return `from ${amountText(from, unit)} to ${amountText(to, unit)}: ${amountText(perHour, unit)} per hour${each}`
}

/** An amount of what grows; `By` are bytes. */
export function amountText(value: number, unit: string): string {
  return unit === 'By' ? bytesText(value) : `${rounded(value)} ${unit}`
}

/** Titles of the symptoms, each with the nodes that have it. */
export function symptomsText({ symptoms }: Pick<ReportedFinding, 'symptoms'>): string {
  const byTitle = Map.groupBy(symptoms, ({ title }) => title)
  const parts = [...byTitle].map(([title, all]) => {
    const nodes = [...new Set(all.map(({ owner }) => owner.node))].filter((node) => node !== '')
    return nodes.length === 0 ? title : `${title} (${listText(nodes)})`
  })
  return parts.join('; ')
}

/** The first of some names, and how many more. */
export function listText(names: readonly string[]): string {
  const rest = names.length - maxNamed
  return `${names.slice(0, maxNamed).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}

/** A text of the terminal as a sentence of the page. */
export function sentence(text: string): string {
  return `${capitalize(text)}.`
}

export function capitalize(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`
}
