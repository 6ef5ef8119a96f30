import assert from 'node:assert/strict'
import { test } from 'node:test'
import { context, trace } from '@opentelemetry/api'
import type { SpanEffect } from '../../catalogue/span-effect.ts'
import { appTracing, unsampledName } from '../../testing/app-tracing.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { seededRandom } from '../../testing/random.ts'
import { VirtualClock } from '../../testing/sim/virtual-clock.ts'
import { RequestSpans } from './requests.ts'

leakCheck()

const { tracer } = appTracing()
const request = { peer: 'p', topic: 'sum', data: Uint8Array.of(1, 2) }
const remote = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }

function setup(exportsSpans = true) {
  const clock = new VirtualClock()
  const spans: SpanEffect[] = []
  const emitSpan = (span: SpanEffect) => spans.push(span)
  return { clock, spans, requests: new RequestSpans({ clock, random: seededRandom(1), emitSpan, exportsSpans }) }
}

test('the span of a request lasts until its end; without a response it is an error with its type', () => {
  const { clock, spans, requests } = setup()
  const first = requests.startSent(request)
  clock.advance(50)
  first.end({ response: Uint8Array.of(3) })
  clock.advance(1_000)
  requests.startSent(request).end({ error: new TypeError('not a number') })
  const attributes = { 'mesh.peer.id': 'p', 'mesh.request.topic': 'sum', 'mesh.request.bytes': 2 }
  assert.deepEqual(
    spans.map(({ span, since, failed, attributes }) => ({ span, since, failed, attributes })),
    [
      { span: 'mesh.request.sent', since: 0, failed: false, attributes: { ...attributes, 'mesh.response.bytes': 1 } },
      {
        span: 'mesh.request.sent',
        since: 1_050,
        failed: true,
        attributes: { ...attributes, 'error.type': 'TypeError', 'mesh.error.message': 'not a number' },
      },
    ],
  )
})

test('at most one span per second and direction, independent of the other side’s sampling', () => {
  const { clock, spans, requests } = setup()
  for (let i = 0; i < 100; i++) {
    requests.startSent(request).end({ error: 'x' })
    requests.startHandled(request, remote).end({ error: 'x' })
    clock.advance(10)
  }
  const names = spans.map(({ span }) => span)
  assert.deepEqual(names, ['mesh.request.sent', 'mesh.request.handled'])
})

test('an outbound request: the context is the mesh’s span; beyond the sample the application’s', () => {
  const { spans, requests } = setup()
  const work = tracer.startSpan('work')
  const { traceId, spanId } = work.spanContext()
  const [sampled, beyond] = context.with(trace.setSpan(context.active(), work), () => [
    requests.startSent(request),
    requests.startSent(request),
  ])
  work.end()
  sampled?.end({ response: Uint8Array.of() })
  assert.deepEqual(spans[0]?.parent, { traceId, spanId })
  assert.deepEqual(sampled?.context, spans[0]?.ref)
  assert.equal(sampled?.context?.traceId, traceId)
  assert.deepEqual(beyond?.context, { traceId, spanId })
  assert.equal(requests.startSent(request).context, undefined)
})

test('a handled request: the context is the mesh’s span below the remote one; beyond the sample the remote one', () => {
  const { spans, requests } = setup()
  const sampled = requests.startHandled(request, remote)
  sampled.end({ response: Uint8Array.of() })
  assert.deepEqual(spans[0]?.parent, remote)
  assert.deepEqual(sampled.context, spans[0]?.ref)
  assert.deepEqual(requests.startHandled(request, remote).context, remote)
  assert.equal(requests.startHandled(request, undefined).context, undefined)
})

test('without export: no context is a span of the mesh', () => {
  const { requests } = setup(false)
  assert.equal(requests.startSent(request).context, undefined)
  assert.deepEqual(requests.startHandled(request, remote).context, remote)
})

test('a request within an unsampled span carries no trace', () => {
  const { requests } = setup()
  const unsampled = trace.setSpan(context.active(), tracer.startSpan(unsampledName))
  assert.equal(context.with(unsampled, () => requests.startSent(request)).context, undefined)
})
