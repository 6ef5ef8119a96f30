import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startStack } from '../../stack/bare.ts'
import { endToEnd } from '../end-to-end.ts'
import { atLeast, atMost, equals, type ProofContext, type ProofResult, round } from '../proof.ts'
import { fromEnv, withStack } from '../stack/on-stack.ts'
import { runDoctor } from './doctor-process.ts'
import { type RecordedLab, recordLab } from './recorded-lab.ts'
import { type SpanRequest, sendRequests } from './send-requests.ts'
import { minuteOf, multipliedLines, spansOf } from './span-file.ts'

/** DAY_MINUTES makes it less. */
const dayMinutes = fromEnv('DAY_MINUTES', 24 * 60)
/** As many nodes as a lab has by default. */
const labNodes = 18
const labMinutes = 3.2
const settledMs = 120_000
const minuteMs = 60_000
const limitSeconds = 120
/** A listener more per minute. */
const growth = { attributes: ['mesh.audit.listeners', 'mesh.audit.listeners_largest'], perMinute: 1 }

export const proof = endToEnd({
  name: 'doctor-day',
  about:
    'a day of a lab of 18 nodes in Jaeger, some two million spans: the doctor names the growing node in two minutes',
  quick: false,
  seconds: 240 + Math.round(dayMinutes * 0.4),
  run: (context) => withStack(context, () => diagnoseDay(context), ['jaeger']),
})

async function diagnoseDay(context: ProofContext): Promise<ProofResult> {
  await using temporary = await mkdtempDisposable(join(tmpdir(), 'tracemesh-doctor-'))
  context.progress(`recording a lab of ${labNodes} nodes for ${labMinutes} min`)
  await using lab = await recordLab(join(temporary.path, 'traces.db'), labMinutes, context.signal, labNodes)
  const minute = minuteOf(lab.groups, lab.fromMs + settledMs)
  const node = nodeOf(minute)
  await using stack = await startStack({ services: ['jaeger'] })
  const sent = await sendRequests(stack.urls.jaegerOtlp, dayOf(minute, node, lab), report(context))
  context.progress(`${sent} spans are in Jaeger`)
  const { findings, evidence, usage } = await runDoctor(
    ['--url', stack.urls.jaeger, '--for', `${dayMinutes}m`],
    context,
  )
  const [first] = findings
  return {
    figures: {
      'spans in Jaeger': sent,
      'spans read': evidence.spans,
      requests: evidence.requests,
      MB: round(evidence.bytes / 1e6),
      ...usage,
    },
    checks: [
      atLeast('spans in Jaeger', spansOf(minute) * dayMinutes, sent),
      equals('first answer', 'listeners-left', first?.disease ?? 'none'),
      equals('its node', node, first?.owner.node ?? 'none'),
      equals('other answers', 0, findings.length - 1),
      atMost('time to the answer', limitSeconds, usage.seconds, 's'),
    ],
  }
}

function nodeOf(minute: ReturnType<typeof minuteOf>): string {
  const names = minute.flatMap(({ resource }) =>
    resource.attributes.flatMap(({ key, value }) => (key === 'mesh.node.name' ? [value.stringValue ?? ''] : [])),
  )
  const [name = ''] = names.toSorted()
  return name
}

/** The day ends now. */
function* dayOf(minute: ReturnType<typeof minuteOf>, node: string, lab: RecordedLab): Generator<SpanRequest> {
  const count = spansOf(minute) * dayMinutes
  const laterMs = Date.now() - (lab.fromMs + settledMs) - dayMinutes * minuteMs
  for (const line of multipliedLines(minute, { count, laterMs: Math.round(laterMs), growth: { node, ...growth } }))
    yield JSON.parse(line) as SpanRequest
}

function report({ progress }: ProofContext): (spans: number) => void {
  let reported = 0
  return (spans) => {
    if (spans < reported + 100_000) return
    reported = spans
    progress(`${spans} spans sent`)
  }
}
