import { reportLines } from '../commands/doctor/report-text.ts'
import { type Diagnosis, diagnose } from '../doctor/diagnose.ts'
import type { DiseaseName } from '../doctor/diseases.ts'
import type { Evidence } from '../doctor/evidence/evidence.ts'
import { EvidenceFold } from '../doctor/evidence/fold.ts'
import { reportOf } from '../doctor/report/report.ts'
import { rules } from '../doctor/rules/all.ts'
import { exampleOf } from '../testing/doctor/examples.ts'
import type { TraceSpan } from '../traces/trace.ts'

/** Examples are moved to 2001: the text of a time of today has no date. */
const agoMs = 800_000_000_000
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

/** With ids as a store has them. */
function printable(span: TraceSpan): TraceSpan {
  const { traceId, spanId, parentSpanId, startMs } = span
  return {
    ...span,
    traceId: hex(traceId, 32),
    spanId: hex(spanId, 16),
    parentSpanId: parentSpanId === '' ? '' : hex(parentSpanId, 16),
    startMs: startMs - agoMs,
  }
}

function hex(id: string, digits: number): string {
  return /^[0-9a-f]+$/.test(id) ? id : Buffer.from(id).toString('hex').slice(-digits).padStart(digits, '0')
}

/** Pages are the same wherever they are generated. */
function inUtc<T>(run: () => T): T {
  const zone = process.env['TZ']
  process.env['TZ'] = 'UTC'
  try {
    return run()
  } finally {
    if (zone === undefined) delete process.env['TZ']
    else process.env['TZ'] = zone
  }
}
