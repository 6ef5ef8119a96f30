import { createHash } from 'node:crypto'
import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Instance } from '../../doctor/evidence/instance.ts'
import { examine, type Subject } from '../../doctor/report/examine.ts'
import { until } from '../../processes/waiting.ts'
import { jaegerVersion, stackBinary } from '../../stack/binaries.ts'
import { startJaeger } from '../../testing/stack/jaeger.ts'
import { TraceReader } from '../../traces/reader.ts'
import { endToEnd } from '../end-to-end.ts'
import { atLeast, type Check, equals, notShown, type ProofContext } from '../proof.ts'
import { type RecordedLab, recordLab } from './recorded-lab.ts'
import { sendRequests } from './send-requests.ts'

const labMinutes = 3
/** Jaeger shows spans some seconds after it received them. */
const arriveMs = 30_000

export const proof = endToEnd({
  name: 'doctor-sources',
  about: 'one recorded run of a lab: the doctor says the same from the store, from the file and from Jaeger',
  quick: false,
  seconds: 330,
  async run(context) {
    await using temporary = await mkdtempDisposable(join(tmpdir(), 'tracemesh-doctor-'))
    context.progress(`recording a lab for ${labMinutes} min`)
    await using lab = await recordLab(join(temporary.path, 'traces.db'), labMinutes, context.signal)
    const file = join(temporary.path, 'spans.jsonl')
    await writeFile(file, lab.groups.map((group) => `${JSON.stringify({ resourceSpans: [group] })}\n`).join(''))
    const store = await verdictOf({ url: lab.queryUrl }, lab, context)
    const fromFile = await verdictOf({ files: [file] }, lab, context)
    return {
      figures: { store, file: fromFile },
      checks: [
        atLeast('spans in the store', 500, store.spans),
        equals('spans of the file', store.spans, fromFile.spans),
        equals('verdict of the file', store.verdict, fromFile.verdict),
        equals('series and texts of the file', store.evidence, fromFile.evidence),
        ...(await jaegerChecks(store, lab, context)),
      ],
    }
  },
})

type Verdict = Awaited<ReturnType<typeof verdictOf>>

async function jaegerChecks(store: Verdict, lab: RecordedLab, context: ProofContext): Promise<Check[]> {
  const binary = await stackBinary('jaeger')
  if ('missing' in binary) {
    context.progress(`NOT SHOWN with Jaeger: ${binary.missing}`)
    return [notShown('verdict of Jaeger', store.verdict, binary.missing)]
  }
  const jaeger = await startJaeger(binary.path)
  try {
    await sendRequests(
      jaeger.otlpUrl,
      lab.groups.map((group) => ({ resourceSpans: [group] })),
    )
    const reader = new TraceReader(jaeger.queryUrl)
    await until(async () => (await reader.services()).length > 0, arriveMs, 'Jaeger has the spans')
    const verdict = await verdictOf({ url: jaeger.queryUrl }, lab, context)
    return [
      equals(`spans of Jaeger ${jaegerVersion}`, store.spans, verdict.spans),
      equals('verdict of Jaeger', store.verdict, verdict.verdict),
      equals('series and texts of Jaeger', store.evidence, verdict.evidence),
    ]
  } finally {
    await jaeger.stop()
  }
}

/** What the doctor says of the run, and a digest of the evidence. */
async function verdictOf(from: Partial<Pick<Subject, 'url' | 'files'>>, lab: RecordedLab, context: ProofContext) {
  const { evidence, diagnosis } = await examine({
    url: '',
    files: [],
    mesh: undefined,
    period: { fromMs: lab.fromMs, toMs: lab.toMs + 60_000 },
    signal: context.signal,
    progress: context.progress,
    ...from,
  })
  const findings = diagnosis.findings.map(({ disease, owner, certainty, sinceMs }) => [
    disease,
    owner,
    certainty,
    sinceMs,
  ])
  return {
    spans: evidence.spans,
    evidence: createHash('sha256')
      .update(JSON.stringify(evidence.instances.map(contentOf).sort()))
      .digest('hex'),
    verdict: JSON.stringify([diagnosis.verdict, findings]),
  }
}

/** Jaeger has whole microseconds, so times are compared to the millisecond. */
function contentOf(instance: Instance): string {
  const series = instance
    .seriesOf('')
    .map(([key, { first, last, min, max }]) => [key, first.value, last.value, min, max])
  return JSON.stringify([instance.id, instance.node, instance.seqs.count, series.sort()])
}
