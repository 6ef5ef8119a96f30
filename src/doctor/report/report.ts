import { type Diagnosis, type RankedFinding, verdictOf } from '../diagnose.ts'
import { diseaseOf } from '../diseases.ts'
import type { Evidence } from '../evidence/evidence.ts'
import type { Instance, Witness } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { type Resolutions, resolutionsIn } from '../judgement/resolution.ts'
import type { Reading } from '../sources/source.ts'
import { printable } from './printable.ts'

/** Where a person can open a trace. */
export type Links = (witness: Pick<Witness, 'traceId' | 'spanId'>) => string | undefined

/** A search for traces with a span of a name, of one node unless that is empty. */
export interface Question {
  readonly mesh: string
  readonly node: string
  readonly span: string
  /** Milliseconds since 1970. */
  readonly fromMs: number
  readonly toMs: number
}

/** A diagnosis with what it rests on; with `--json` one line of JSON. */
export interface Report {
  readonly verdict: Diagnosis['verdict']
  readonly findings: readonly ReportedFinding[]
  /** What was looked at. */
  readonly evidence: {
    /** Milliseconds since 1970; null without a span of a mesh. */
    readonly fromMs: number | null
    readonly toMs: number | null
    readonly meshes: readonly string[]
    readonly nodes: number
    /** A node that restarted has several. */
    readonly processes: number
    readonly censuses: number
    readonly spans: number
    readonly foreign: number
    readonly duplicates: number
    /** Processes and series that found no room. */
    readonly dropped: number
    readonly omitted: number
    /** Connections that entered a ledger. */
    readonly churnEvents: number
    /** Builds of the nodes. */
    readonly versions: readonly string[]
    /** Names that several nodes of a mesh have at once, as `NODE of MESH`. */
    readonly sharedNames: readonly string[]
    readonly complete: boolean
    /** Why it is incomplete, in words. */
    readonly partial: readonly string[]
    readonly read: readonly string[]
    readonly bytes: number
    readonly requests: number
  }
  /** What a leak would have had to reach to be seen. */
  readonly resolution: Resolutions
}

export interface ReportedFinding extends Finding {
  readonly title: string
  readonly remedy: string
  readonly next: string
  readonly links: readonly string[]
  /** Where a person sees all spans like the first of the proof, from its begin on. */
  readonly search?: string
  readonly symptoms: readonly ReportedSymptom[]
  /** Of the owner; absent if its node has only one. */
  readonly process?: ReportedProcess
}

/** Which of the processes of one node name, and when it ran. */
export interface ReportedProcess {
  /** `service.instance.id` of its spans. */
  readonly instance: string
  readonly peer: string
  /** Milliseconds since 1970. */
  readonly fromMs: number
  readonly toMs: number
}

export interface ReportedSymptom extends Pick<Finding, 'disease' | 'owner' | 'certainty' | 'summary'> {
  readonly title: string
}

export interface ReportInput {
  readonly evidence: Evidence
  readonly diagnosis: Diagnosis
  readonly reading: Reading
  readonly links: Links
  readonly search?: (question: Question) => string | undefined
  /** Only findings of this node, or that it is also part of. */
  readonly node?: string | undefined
}

export function reportOf({ evidence, diagnosis, reading, links, search, node }: ReportInput): Report {
  const { instances } = evidence
  const isSpan = Number.isFinite(evidence.fromMs)
  const findings = diagnosis.findings.filter((finding) => node === undefined || concerns(finding, node))
  const scope = node === undefined ? evidence : scopeOf(evidence, node)
  return printable({
    verdict: verdictOf(scope, findings),
    findings: findings.map((finding) => reportFinding(finding, evidence, links, search)),
    evidence: {
      fromMs: isSpan ? evidence.fromMs : null,
      toMs: isSpan ? evidence.toMs : null,
      meshes: distinct(instances.map(({ mesh }) => mesh)),
      nodes: distinct(instances.map(({ mesh, node: name }) => `${mesh} ${name}`)).length,
      processes: instances.length,
      censuses: instances.filter(({ hasCensus }) => hasCensus).length,
      spans: evidence.spans,
      foreign: evidence.foreign,
      duplicates: evidence.duplicates,
      dropped: evidence.dropped,
      omitted: evidence.omitted,
      churnEvents: instances.reduce((sum, { churnEvents }) => sum + churnEvents, 0),
      versions: distinct(instances.map(({ version }) => version)),
      sharedNames: sharedNames(instances),
      complete: evidence.complete,
      partial: scope.partial,
      read: reading.read,
      bytes: reading.bytes,
      requests: reading.requests,
    },
    resolution: resolutionsIn(scope),
  })
}

function distinct(values: readonly string[]): string[] {
  return [...new Set(values)].filter((value) => value !== '').sort()
}

/** Nodes that a text about an unknown one names. */
const maxKnown = 16

/** What a verdict about one node rests on: without a span of it nothing is known. */
function scopeOf(evidence: Evidence, node: string): Evidence {
  const instances = evidence.instances.filter((instance) => instance.node === node)
  if (instances.length > 0) return { ...evidence, instances }
  const known = distinct(evidence.instances.map((instance) => instance.node))
  const more = known.length > maxKnown ? ` and ${known.length - maxKnown} more` : ''
  const problem = `no span of a node ${node}; there are spans of ${known.slice(0, maxKnown).join(', ')}${more}`
  return { ...evidence, instances, partial: [problem, ...evidence.partial] }
}

/** Spans of a process that a restart replaces may end this much after the first of the next one. */
const handoverMs = 10_000

function sharedNames(instances: readonly Instance[]): string[] {
  const named = instances.filter(({ node }) => node !== '')
  const byNode = Map.groupBy(named, ({ mesh, node }) => `${node} of ${mesh}`)
  return [...byNode].flatMap(([name, all]) => (hasOverlap(all) ? [name] : [])).sort()
}

function hasOverlap(processes: readonly Instance[]): boolean {
  const ordered = processes.toSorted((a, b) => a.firstMs - b.firstMs)
  const lastMs = ordered.map((process) => process.lastMs)
  return ordered.some(({ firstMs }, at) => lastMs.slice(0, at).some((ms) => firstMs < ms - handoverMs))
}

/** Undefined where the name of the node says enough. */
function processOf({ owner }: RankedFinding, { instances }: Evidence): ReportedProcess | undefined {
  const ofNode = instances.filter(({ mesh, node }) => mesh === owner.mesh && node === owner.node)
  const [first, ...others] = ofNode.filter(({ id }) => id === owner.instance)
  if (first === undefined || ofNode.length < 2) return undefined
  return {
    instance: first.id,
    peer: first.peer,
    fromMs: Math.min(first.firstMs, ...others.map(({ firstMs }) => firstMs)),
    toMs: Math.max(first.lastMs, ...others.map(({ lastMs }) => lastMs)),
  }
}

function concerns({ owner, alsoAt = [], symptoms }: RankedFinding, node: string): boolean {
  return owner.node === node || alsoAt.includes(node) || symptoms.some((symptom) => symptom.owner.node === node)
}

/** Time around the period: the trace of a span begins before it. */
const aroundMs = 60_000

function questionOf({ owner, proof, sinceMs }: RankedFinding, { fromMs, toMs }: Evidence): Question {
  const { mesh, node } = owner
  const span = proof[0]?.span ?? 'mesh.audit'
  return { mesh, node, span, fromMs: (sinceMs ?? fromMs) - aroundMs, toMs: toMs + aroundMs }
}

function reportFinding(
  finding: RankedFinding,
  evidence: Evidence,
  links: Links,
  search: ReportInput['search'],
): ReportedFinding {
  const { title, remedy, next } = diseaseOf(finding.disease)
  const found = search?.(questionOf(finding, evidence))
  const proof = finding.proof.slice(0, 8)
  const process = processOf(finding, evidence)
  return {
    ...finding,
    title,
    remedy,
    next,
    links: proof.flatMap((witness) => links(witness) ?? []),
    ...(found !== undefined && { search: found }),
    ...(process !== undefined && { process }),
    symptoms: finding.symptoms.filter(isSpecific).map(({ disease, owner, certainty, summary }) => ({
      disease,
      title: diseaseOf(disease).title,
      owner,
      certainty,
      summary,
    })),
  }
}

/** What a cause explains has a known cause: to say that it has none is no news. */
function isSpecific({ disease }: Finding): boolean {
  return disease !== 'growth-unknown'
}
