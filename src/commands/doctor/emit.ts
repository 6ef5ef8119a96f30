import { type AttributesOf, emitSpan, type SpanEffect } from '../../catalogue/span-effect.ts'
import { newTrace } from '../../core/trace.ts'
import { type Diagnosis, type RankedFinding, verdictOf } from '../../doctor/diagnose.ts'
import { diseaseOf } from '../../doctor/diseases.ts'
import type { Evidence } from '../../doctor/evidence/evidence.ts'
import { systemClock } from '../../kit/clock.ts'
import { version } from '../../kit/version.ts'
import { startTelemetry, type Telemetry } from '../../telemetry/telemetry.ts'

/** The receiver may be away for so long at the end, in milliseconds: a busy one takes some seconds. */
const closeMs = 15_000
/** Problems and symptoms that a span names. */
const maxListed = 16

/** Emits diagnoses as spans, under the service of their mesh: a trace per diagnosis and mesh, with a child per finding. */
export class DiagnosisEmitter {
  readonly #endpoint: string
  readonly #report: (text: string) => void
  readonly #telemetries: { readonly mesh: string; readonly telemetry: Telemetry }[] = []

  constructor(endpoint: string, report: (text: string) => void) {
    this.#endpoint = endpoint
    this.#report = report
  }

  emit({ evidence, diagnosis }: { readonly evidence: Evidence; readonly diagnosis: Diagnosis }): void {
    const meshes = new Set(evidence.instances.map(({ mesh }) => mesh))
    for (const mesh of meshes) {
      const telemetry = this.#telemetryOf(mesh)
      const findings = diagnosis.findings.filter(({ owner }) => owner.mesh === mesh)
      const ref = newTrace(Math.random)
      telemetry.emit(
        emitSpan('mesh.doctor.diagnosis', diagnosisOf(mesh, findings, evidence), { ref, parent: null }),
        undefined,
      )
      for (const finding of findings) {
        const links = finding.proof.map(({ traceId, spanId }) => ({ traceId, spanId }))
        telemetry.emit(emitSpan('mesh.doctor.finding', findingOf(finding), { parent: ref, links }), undefined)
      }
    }
  }

  /** Emits spans of a mesh as they are. */
  emitSpans(mesh: string, spans: readonly SpanEffect[]): void {
    for (const span of spans) this.#telemetryOf(mesh).emit(span, undefined)
  }

  /** Resolves when the spans are sent, or after some seconds without a receiver. */
  async close(): Promise<void> {
    await Promise.all(this.#telemetries.map(({ telemetry }) => telemetry.close(closeMs)))
  }

  #telemetryOf(mesh: string): Telemetry {
    const known = this.#telemetries.find((one) => one.mesh === mesh)
    if (known !== undefined) return known.telemetry
    const telemetry = startTelemetry({
      clock: systemClock,
      endpoint: this.#endpoint,
      resource: { meshId: mesh, version },
      logger: (_level, message) => this.#report(message),
    })
    this.#telemetries.push({ mesh, telemetry })
    return telemetry
  }
}

/** The verdict is of this mesh: another one may be ill, or have a census. */
function diagnosisOf(
  mesh: string,
  findings: readonly RankedFinding[],
  evidence: Evidence,
): AttributesOf<'mesh.doctor.diagnosis'> {
  const { fromMs, toMs, spans, complete, partial } = evidence
  const instances = evidence.instances.filter((instance) => instance.mesh === mesh)
  return {
    'mesh.doctor.verdict': verdictOf({ ...evidence, instances }, findings),
    'mesh.doctor.findings': findings.length,
    'mesh.doctor.period_ms': Math.round(toMs - fromMs),
    'mesh.doctor.spans': spans,
    'mesh.doctor.processes': instances.length,
    'mesh.doctor.complete': complete,
    ...(partial.length > 0 && { 'mesh.doctor.partial': partial.slice(0, maxListed) }),
  }
}

function findingOf(finding: RankedFinding): AttributesOf<'mesh.doctor.finding'> {
  const { owner, disease, certainty, summary, sinceMs, growth, missing, alsoAt = [], symptoms } = finding
  return {
    'mesh.node.name': owner.node,
    'mesh.doctor.disease': disease,
    'mesh.doctor.certainty': certainty,
    'mesh.doctor.part': owner.part,
    'mesh.doctor.summary': summary,
    'mesh.doctor.remedy': diseaseOf(disease).remedy,
    ...(sinceMs !== undefined && { 'mesh.doctor.since': new Date(sinceMs).toISOString() }),
    ...(growth !== undefined && { 'mesh.doctor.unit': growth.unit, 'mesh.doctor.per_hour': growth.perHour }),
    ...(growth?.perEvent !== undefined && { 'mesh.doctor.per_event': growth.perEvent }),
    ...(missing !== undefined && { 'mesh.doctor.missing': missing }),
    ...(alsoAt.length > 0 && { 'mesh.doctor.also_at': alsoAt.slice(0, maxListed) }),
    ...(symptoms.length > 0 && {
      'mesh.doctor.symptoms': symptoms.slice(0, maxListed).map((one) => `${one.disease} ${one.owner.node}`.trimEnd()),
    }),
  }
}
