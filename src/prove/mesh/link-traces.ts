import type { ReceivedSpan } from '../../testing/otlp/otlp-receiver.ts'
import { emitterOf, isLinkedTo, spansInTrace, spansNamed } from '../evidence.ts'
import type { PairLink } from './mesh.ts'

type Spans = readonly ReceivedSpan[]

/** Why the opening of this link is not one trace with the spans of both ends; empty when it is. */
export function openFault(spans: Spans, { id, trace, ends }: PairLink): string {
  const emittedSpans = spansInTrace(spans, trace)
  const [first, ...more] = emittedSpans.filter(({ parentSpanId }) => parentSpanId === '')
  if (first?.name !== 'mesh.connection.opened' || more.length > 0) return `${id}: the root is ${first?.name}`
  for (const name of ['mesh.connection.opened', 'mesh.hello.received'] as const) {
    const emitters = spansNamed(emittedSpans, name).map(emitterOf).sort()
    if (emitters.join() !== ends.join()) return `${id}: ${emitters.length} × ${name}`
  }
  return ''
}

/** Why the close of this link by `stopped` is not one trace with the spans of both ends; empty when it is. */
export function closeFault(spans: Spans, { id, trace, ends }: PairLink, stopped: string): string {
  const ofLink = spans.filter((span) => span.attributes['mesh.link.id'] === id)
  const [sent, ...moreSent] = spansNamed(ofLink, 'mesh.goodbye.sent')
  if (sent === undefined || moreSent.length > 0) return `${id}: ${moreSent.length} extra goodbyes, or none`
  const emittedSpans = spansInTrace(spans, sent.traceId)
  const received = spansNamed(emittedSpans, 'mesh.goodbye.received')
  const closed = spansNamed(emittedSpans, 'mesh.connection.closed')
  if (emitterOf(sent) !== stopped) return `${id}: the goodbye came from ${emitterOf(sent)}`
  if (received.length !== 1 || received.some((span) => emitterOf(span) === stopped)) return `${id}: no goodbye received`
  if (closed.map(emitterOf).sort().join() !== ends.join()) return `${id}: ${closed.length} × closed`
  const unlinked = [sent, ...received, ...closed].find((span) => !isLinkedTo(span, trace))
  return unlinked === undefined ? '' : `${id}: ${unlinked.name} is not linked to the opening trace`
}
