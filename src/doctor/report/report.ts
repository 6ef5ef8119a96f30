import { type Diagnosis, type RankedFinding, verdictOf } from '../diagnose.ts'
import { diseaseOf } from '../diseases.ts'
import type { Evidence } from '../evidence/evidence.ts'
import type { Witness } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { type Resolutions, resolutionsIn } from '../judgement/resolution.ts'
import type { Reading } from '../sources/source.ts'

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
  const names = (values: readonly string[]) => [...new Set(values)].filter((value) => value !== '').sort()
  return {
    verdict: verdictOf(evidence, findings),
    findings: findings.map((finding) => reported(finding, links, search?.(questionOf(finding, evidence)))),
    evidence: {
      fromMs: isSpan ? evidence.fromMs : null,
      toMs: isSpan ? evidence.toMs : null,
      meshes: names(instances.map(({ mesh }) => mesh)),
      nodes: names(instances.map(({ mesh, node: name }) => `${mesh} ${name}`)).length,
      processes: instances.length,
      censuses: instances.filter(({ censuses }) => censuses.length > 0).length,
      spans: evidence.spans,
      foreign: evidence.foreign,
      duplicates: evidence.duplicates,
      dropped: evidence.dropped,
      omitted: evidence.omitted,
      churnEvents: instances.reduce((sum, { churnEvents }) => sum + churnEvents, 0),
      versions: names(instances.map(({ version }) => version)),
      complete: evidence.complete,
      partial: evidence.partial,
      read: reading.read,
      bytes: reading.bytes,
      requests: reading.requests,
    },
    resolution: resolutionsIn(evidence),
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

function reported(finding: RankedFinding, links: Links, search: string | undefined): ReportedFinding {
  const { title, remedy, next } = diseaseOf(finding.disease)
  const proof = finding.proof.slice(0, 8)
  return {
    ...finding,
    title,
    remedy,
    next,
    links: proof.flatMap((witness) => links(witness) ?? []),
    ...(search !== undefined && { search }),
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
