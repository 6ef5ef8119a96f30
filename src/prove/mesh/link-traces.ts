import type { ReceivedSpan } from '../../testing/otlp-receiver.ts'
import { inTrace, isLinkedTo, named, tellerOf } from '../evidence.ts'
import type { PairLink } from './mesh.ts'

type Spans = readonly ReceivedSpan[]

/** Why the birth of this link is not one trace with the spans of both ends; empty when it is. */
export function birthFault(spans: Spans, { id, trace, ends }: PairLink): string {
  const told = inTrace(spans, trace)
  const [first, ...more] = told.filter(({ parentSpanId }) => parentSpanId === '')
  if (first?.name !== 'mesh.connection.opened' || more.length > 0) return `${id}: the root is ${first?.name}`
  for (const name of ['mesh.connection.opened', 'mesh.hello.received'] as const) {
    const tellers = named(told, name).map(tellerOf).sort()
    if (tellers.join() !== ends.join()) return `${id}: ${tellers.length} × ${name}`
  }
  return ''
}

/** Why the end of this link, which `stopped` ended, is not one trace with the spans of both ends; empty when it is. */
export function endFault(spans: Spans, { id, trace, ends }: PairLink, stopped: string): string {
  const ofLink = spans.filter((span) => span.attributes['mesh.link.id'] === id)
  const [sent, ...moreSent] = named(ofLink, 'mesh.goodbye.sent')
  if (sent === undefined || moreSent.length > 0) return `${id}: ${moreSent.length} goodbyes too many, or none`
  const told = inTrace(spans, sent.traceId)
  const received = named(told, 'mesh.goodbye.received')
  const closed = named(told, 'mesh.connection.closed')
  if (tellerOf(sent) !== stopped) return `${id}: the goodbye came from ${tellerOf(sent)}`
  if (received.length !== 1 || received.some((span) => tellerOf(span) === stopped)) return `${id}: no goodbye received`
  if (closed.map(tellerOf).sort().join() !== ends.join()) return `${id}: ${closed.length} × closed`
  const unlinked = [sent, ...received, ...closed].find((span) => !isLinkedTo(span, trace))
  return unlinked === undefined ? '' : `${id}: ${unlinked.name} is not linked to the birth`
}
