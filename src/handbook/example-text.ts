import { createHash } from 'node:crypto'
import { reportLines } from '../commands/doctor/report-text.ts'
import { type Diagnosis, diagnose } from '../doctor/diagnose.ts'
import type { DiseaseName } from '../doctor/diseases.ts'
import type { Evidence } from '../doctor/evidence/evidence.ts'
import { EvidenceFold } from '../doctor/evidence/fold.ts'
import { reportOf } from '../doctor/report/report.ts'
import { rules } from '../doctor/rules/all.ts'
import { exampleOf } from '../testing/doctor/examples.ts'
import type { TraceSpan } from '../traces/trace.ts'

/** Stories of tests begin then. Examples are moved to a morning in the past: the text of a time of today has no date. */
const storiesMs = 1_800_000_000_000
const laterMs = Date.UTC(2026, 2, 12, 9, 15) - storiesMs
const columns = 100

/** What the doctor finds in the example of a disease. */
export function examineExample(disease: DiseaseName): { readonly evidence: Evidence; readonly diagnosis: Diagnosis } {
  const fold = new EvidenceFold()
  for (const span of exampleOf(disease)) fold.add(printable(span))
  const evidence = fold.evidence({ complete: true, partial: [] })
  return { evidence, diagnosis: diagnose(evidence, rules) }
}

/**
 * The first answer of the doctor, as `tracemesh doctor` prints it.
 *
 * @throws Error if it is another disease
 */
export function exampleText(disease: DiseaseName): readonly string[] {
  const { evidence, diagnosis } = examineExample(disease)
  const [first] = diagnosis.findings
  if (first?.disease !== disease) throw new Error(`the doctor finds ${first?.disease} in the example of ${disease}`)
  const reading = { complete: true, partial: [], read: [], bytes: 0, requests: 0 }
  const report = reportOf({ evidence, diagnosis, reading, links: () => undefined })
  const lines = inUtc(() => reportLines(report, { columns }))
  const begin = lines.findIndex((line) => line.startsWith('1. '))
  return lines.slice(begin, lines.indexOf('', begin))
}

/** With ids as nodes make them. */
function printable(span: TraceSpan): TraceSpan {
  const { traceId, spanId, parentSpanId, startMs, attributes, resource } = span
  const instance = String(resource['service.instance.id'])
  const idOf = (id: string) => (id === '' ? '' : hashOf(`${instance} ${id}`, 16))
  return {
    ...span,
    traceId: hashOf(`${instance} ${traceId}`, 32),
    spanId: idOf(spanId),
    parentSpanId: idOf(parentSpanId),
    startMs: startMs + laterMs,
    attributes: withPeerIds(attributes),
    resource: { ...withPeerIds(resource), 'service.instance.id': uuidOf(instance) },
  }
}

/** Stories name a peer after its node. */
function withPeerIds<T>(values: T): T {
  return JSON.parse(JSON.stringify(values).replaceAll(/\bpeer-(?:of-)?(?:node-\d+|seed)\b/g, peerIdOf)) as T
}

const base58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'

function peerIdOf(name: string): string {
  const bytes = createHash('sha512').update(name).digest().subarray(0, 44)
  return `12D3KooW${Array.from(bytes, (byte) => base58[byte % base58.length]).join('')}`
}

function hashOf(text: string, digits: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, digits)
}

function uuidOf(text: string): string {
  return hashOf(text, 32).replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-4$3-8$4-$5')
}

/** Pages are the same wherever they are generated. */
export function inUtc<T>(run: () => T): T {
  const zone = process.env['TZ']
  process.env['TZ'] = 'UTC'
  try {
    return run()
  } finally {
    if (zone === undefined) delete process.env['TZ']
    else process.env['TZ'] = zone
  }
}
