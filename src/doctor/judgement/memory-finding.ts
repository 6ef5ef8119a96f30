import type { TraceSpan } from '../../traces/trace.ts'
import type { DiseaseName } from '../diseases.ts'
import type { Evidence } from '../evidence/evidence.ts'
import { type Instance, witnessOf } from '../evidence/instance.ts'
import type { Point } from '../evidence/series.ts'
import type { Finding } from '../finding.ts'
import { bytesText } from '../report/amounts.ts'
import type { Rule } from '../rule.ts'
import { growthOver, type Judgement, partOf } from './growth.ts'
import { judgeMemory, memoryOf } from './memory-floors.ts'

/** Part of the sampled bytes from which on a function is named. */
const leastShare = 0.25

interface MemoryText {
  readonly disease: DiseaseName
  readonly part: string
  /** What rises, as the subject of a sentence. */
  readonly what: string
}

/** The finding about memory that rises; the functions at the heap sites are named if the node sampled some. */
export function memoryFinding(
  instance: Instance,
  points: readonly Point[],
  judgement: Judgement,
  { disease, part, what }: MemoryText,
): Finding[] {
  if (judgement.is === 'level') return []
  const { rise } = judgement
  const growth = growthOver(instance, points, rise, 'By')
  const site = largestSite(instance, rise.since.atMs)
  const isShort = judgement.is === 'short'
  return [
    {
      disease,
      owner: partOf(instance, site === undefined ? part : `${part} of ${site.name}`),
      certainty: isShort ? 'insufficient' : 'likely',
      sinceMs: rise.since.atMs,
      summary: `${what} rose from ${bytesText(growth.from)} to ${bytesText(growth.to)}${site === undefined ? '' : `; ${site.text}`}`,
      growth,
      proof: [...instance.censuses, ...(site === undefined ? [] : [witnessOf(site.span)])],
      ...(isShort && { missing: 'a longer window: there were three floors' }),
    },
  ]
}

/** The sampling itself allocates. */
const sampler = /heap-sampling\.[jt]s$/

/** What a probe has asked for says more than what the node sampled by itself: it has two readings. */
function largestSite(instance: Instance, fromMs: number) {
  return (
    siteAmong(instance.spans('mesh.doctor.site'), 'mesh.doctor.share', fromMs, 'grew during the probe') ??
    siteAmong(instance.spans('mesh.heap.site'), 'mesh.heap.share', fromMs, 'stayed')
  )
}

/** The function with the largest share of what was allocated and stayed, if it has a file. */
function siteAmong(spans: readonly TraceSpan[], share: string, fromMs: number, what: string) {
  const shareOf = ({ attributes }: TraceSpan) => Number(attributes[share] ?? 0)
  const sites = spans.filter(
    ({ startMs, durationMs, attributes }) =>
      startMs + durationMs >= fromMs &&
      attributes['code.file.path'] !== '' &&
      !sampler.test(String(attributes['code.file.path'])),
  )
  const [span] = sites.toSorted((a, b) => shareOf(b) - shareOf(a))
  if (span === undefined || shareOf(span) < leastShare) return undefined
  const { 'code.function.name': name, 'code.file.path': file, 'code.line.number': line } = span.attributes
  const percent = Math.round(100 * shareOf(span))
  return {
    span,
    name: `${name || '(anonymous)'}`,
    text: `${percent} % of what ${what} was allocated in ${name} at ${file}:${line}`,
  }
}

/** The rule about what major collections leave of one kind of memory: the garbage between them says nothing. */
export function floorRule(kind: 'heap' | 'external', text: MemoryText): Rule {
  return {
    name: text.disease,
    find: eachProcess((instance) => {
      const memory = memoryOf(instance, kind)
      return memoryFinding(instance, memory.floors, judgeMemory(instance, memory), text)
    }),
  }
}

/** Applies one of the rules about memory to each process. */
export function eachProcess(
  find: (instance: Instance) => readonly Finding[],
): (evidence: Evidence) => readonly Finding[] {
  return ({ instances }) => instances.flatMap(find)
}
