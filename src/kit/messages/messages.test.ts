import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { context, INVALID_SPAN_CONTEXT, TraceFlags, trace } from '@opentelemetry/api'
import type { SpanEffect } from '../../catalogue/span-effect.ts'
import { Owner } from '../../core/owner.ts'
import type { TraceRef } from '../../core/trace.ts'
import { activeTraceId, appTracing, unsampledName } from '../../testing/app-tracing.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { seededRandom } from '../../testing/random.ts'
import { VirtualClock } from '../../testing/sim/virtual-clock.ts'
import type { PubSub } from '../components.ts'
import { decodeMessage, encodeMessage } from './envelope.ts'
import { type MeshMessage, Messages } from './messages.ts'

leakCheck()

const { tracer } = appTracing()
const bytes = (text: string) => new TextEncoder().encode(text)
const body = bytes('hello')
const remote = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }

/** Messages on a fake pubsub that records publishes and delivers the test’s messages. */
function setup({ exportsSpans = true } = {}) {
  const clock = new VirtualClock()
  const payloads: Uint8Array[] = []
  const spans: SpanEffect[] = []
  const failed: string[] = []
  const unreadable: string[] = []
  const sealed: (TraceRef | undefined)[] = []
  const pubsub = Object.assign(new EventTarget(), {
    subscribe: () => {},
    unsubscribe: () => {},
    publish: async (_topic: string, data: Uint8Array) => {
      payloads.push(data)
      return { recipients: [] }
    },
  })
  let sequence = 0n
  const messages = new Messages({
    self: 'me',
    owner: new Owner('test', clock),
    clock,
    random: seededRandom(1),
    meshes: ['mesh-a'],
    pubsub: pubsub as unknown as PubSub,
    messageBytes: 100,
    isMember: (peer) => peer === 'peer',
    waitUntilReachable: async () => {},
    emitSpan: (span) => spans.push(span),
    exportsSpans,
    sendCrossing: () => {},
    seal: async (topic, data, number, ref) => {
      sealed.push(ref)
      return { id: `me/${number}`, origin: 'me', originMesh: 'mesh-a', topic, hops: 0, sealed: data }
    },
    nextSequence: () => ++sequence,
    onTopicsChange: () => {},
    onHandlerError: ({ topic }, error) => failed.push(`${topic} ${error}`),
    onUnreadable: (topic, from) => unreadable.push(`${topic} ${from}`),
  })
  messages.start()
  const arrive = (data: Uint8Array, from = 'peer') =>
    pubsub.dispatchEvent(
      Object.assign(new Event('message'), {
        detail: { type: 'signed', topic: 'mesh-a/news', data, from, sequenceNumber: 9n },
      }),
    )
  return { clock, messages, payloads, spans, failed, unreadable, sealed, arrive }
}

let fixture = setup()
beforeEach(() => {
  fixture = setup()
})

/** Subscribes, and collects the bodies and traces that the handler gets. */
function collect(raw: boolean) {
  const messages: [data: Uint8Array, trace: TraceRef | undefined][] = []
  fixture.messages.subscribe('news', ({ data, trace }) => messages.push([data, trace]), { raw })
  return messages
}

describe('raw messages and handlers', () => {
  test('a raw publish: the payload is the body, its size is bounded, and it can cross', async () => {
    const lookalike = encodeMessage({ body })
    await fixture.messages.publish('news', body, { raw: true })
    await fixture.messages.publish('news', lookalike, { raw: true, cross: true })
    assert.deepEqual(fixture.payloads, [body, lookalike])
    assert.equal(fixture.sealed.length, 1)
    await assert.rejects(fixture.messages.publish('news', new Uint8Array(101), { raw: true }), {
      code: 'MESH_MESSAGE_TOO_LARGE',
    })
    assert.equal(fixture.payloads.length, 2)
  })

  test('a body that looks like a header: a publish without raw puts a header in front', async () => {
    const lookalike = encodeMessage({ body })
    await fixture.messages.publish('news', lookalike)
    assert.deepEqual(decodeMessage(fixture.payloads[0] ?? body).body, lookalike)
    const plain = collect(false)
    fixture.arrive(fixture.payloads[0] ?? body)
    assert.deepEqual(plain[0]?.[0], lookalike)
  })

  test('one message: a raw handler gets the payload, another handler the body', () => {
    const raw = collect(true)
    const decoded = collect(false)
    const payload = encodeMessage({ body, trace: remote, stamp: { sequence: 1n, sentAt: 0 } })
    fixture.arrive(payload)
    fixture.arrive(body)
    assert.deepEqual(raw, [
      [payload, undefined],
      [body, undefined],
    ])
    assert.deepEqual(decoded, [
      [body, remote],
      [body, undefined],
    ])
    const sizes = fixture.messages.recent().map(({ bytes }) => bytes)
    assert.deepEqual(sizes, [body.length, body.length])
  })

  test('a malformed header: only raw handlers get the message, and it is reported once per second', () => {
    const raw = collect(true)
    const broken = Uint8Array.of(...encodeMessage({ body }).subarray(0, 4), 9, 9, 9)
    fixture.arrive(broken)
    assert.deepEqual(fixture.unreadable, [])
    const decoded = collect(false)
    for (let i = 0; i < 3; i++) fixture.arrive(broken)
    fixture.clock.advance(1_000)
    fixture.arrive(broken)
    assert.deepEqual([raw.length, decoded.length], [5, 0])
    assert.deepEqual(fixture.unreadable, ['news peer', 'news peer'])
    assert.deepEqual(fixture.failed, [])
  })

  test('a handler with two subscriptions: each ends separately', () => {
    const messages: MeshMessage[] = []
    const handler = (message: MeshMessage) => messages.push(message)
    const endRaw = fixture.messages.subscribe('news', handler, { raw: true })
    fixture.messages.subscribe('news', handler)
    endRaw()
    endRaw()
    fixture.arrive(encodeMessage({ body }))
    const bodies = messages.map(({ data }) => data)
    assert.deepEqual(bodies, [body])
  })
})

describe('trace context', () => {
  /** Trace flags of the context in which a handler runs, of each message. */
  const collectFlags = () => {
    const flags: (number | undefined)[] = []
    fixture.messages.subscribe('news', () => flags.push(trace.getSpanContext(context.active())?.traceFlags))
    return flags
  }
  const traceOf = (index = 0) => decodeMessage(fixture.payloads[index] ?? body).trace

  test('an active span of the application: the message carries it instead of the mesh’s span', async () => {
    const span = tracer.startSpan('work')
    const { traceId, spanId } = span.spanContext()
    await context.with(trace.setSpan(context.active(), span), async () => {
      await fixture.messages.publish('news', body)
      await fixture.messages.publish('news', body, { cross: true })
    })
    span.end()
    assert.deepEqual([traceOf(0), traceOf(1), fixture.sealed[0]], Array(3).fill({ traceId, spanId }))
    const [published] = fixture.spans
    assert.equal(fixture.spans.length, 1)
    assert.deepEqual(published?.parent, { traceId, spanId })
    assert.equal(published?.ref?.traceId, traceId)
  })

  test('without an active span: one message per second, of all topics, carries a span of the mesh', async () => {
    for (const topic of ['news', 'news', 'weather']) await fixture.messages.publish(topic, body)
    assert.deepEqual([traceOf(0), traceOf(1), traceOf(2)], [fixture.spans[0]?.ref, undefined, undefined])
    assert.equal(fixture.spans.length, 1)
  })

  test('an unsampled active span: the message carries no trace, not even the mesh’s', async () => {
    const unsampled = tracer.startSpan(unsampledName)
    assert.equal(unsampled.spanContext().traceFlags, TraceFlags.NONE)
    await context.with(trace.setSpan(context.active(), unsampled), () => fixture.messages.publish('news', body))
    assert.equal(traceOf(), undefined)
    assert.equal(fixture.spans[0]?.parent, null)
  })

  test('an invalid active span, from an API without an SDK, counts as none', async () => {
    const invalid = trace.wrapSpanContext({ ...INVALID_SPAN_CONTEXT, traceFlags: TraceFlags.SAMPLED })
    await context.with(trace.setSpan(context.active(), invalid), () => fixture.messages.publish('news', body))
    assert.deepEqual(traceOf(), fixture.spans[0]?.ref)
    assert.equal(fixture.spans[0]?.parent, null)
  })

  test('a handler runs in the trace of its message, across awaits; without a trace in the root context', async () => {
    const seen: (string | undefined)[] = []
    const { promise, resolve } = Promise.withResolvers<void>()
    fixture.messages.subscribe('news', async () => {
      await null
      seen.push(activeTraceId())
      if (seen.length === 2) resolve()
    })
    // Gossip arrives in the context of the code that opened the connection.
    const opener = tracer.startSpan('opener')
    context.with(trace.setSpan(context.active(), opener), () => {
      fixture.arrive(encodeMessage({ body, trace: remote }))
      fixture.arrive(body)
    })
    opener.end()
    await promise
    assert.deepEqual(seen, [remote.traceId, undefined])
    const emitted = fixture.spans.map(({ span, links }) => [span, links])
    assert.deepEqual(emitted, [['mesh.message.received', [remote]]])
  })

  test('handlers have a sampled parent for each traced message of members, and one a second of guests', () => {
    const flags = collectFlags()
    const ids: (string | undefined)[] = []
    fixture.messages.subscribe('news', () => ids.push(activeTraceId()))
    const traced = encodeMessage({ body, trace: remote })
    for (const from of ['peer', 'peer', 'guest', 'guest', 'other guest']) fixture.arrive(traced, from)
    fixture.clock.advance(1_000)
    for (const from of ['other guest', 'guest']) fixture.arrive(traced, from)
    const { SAMPLED, NONE } = TraceFlags
    assert.deepEqual(flags, [SAMPLED, SAMPLED, SAMPLED, NONE, NONE, SAMPLED, NONE])
    assert.deepEqual(ids, Array(7).fill(remote.traceId))
  })

  test('a guest’s untraced message does not use up the rate of traced ones', () => {
    const flags = collectFlags()
    fixture.arrive(body, 'guest')
    fixture.arrive(encodeMessage({ body, trace: remote }), 'guest')
    assert.deepEqual(flags, [undefined, TraceFlags.SAMPLED])
  })

  test('a message from another mesh carries its trace; a raw handler gets its body too', () => {
    const seen: unknown[] = []
    fixture.messages.subscribe('news', ({ data }) => seen.push([data, activeTraceId()]))
    fixture.messages.subscribe('news', ({ data }) => seen.push([data, activeTraceId()]), { raw: true })
    const crossing = { id: 'far/1', origin: 'far', originMesh: 'mesh-b', topic: 'news', hops: 1, sealed: body }
    fixture.messages.deliverCrossing({ ...crossing, body, trace: remote })
    assert.deepEqual(seen, Array(2).fill([body, remote.traceId]))
  })

  test('a handler that throws or rejects is reported, and does not affect the others', async () => {
    fixture.messages.subscribe('news', () => {
      throw new Error('thrown')
    })
    fixture.messages.subscribe('news', async () => {
      throw new Error('rejected')
    })
    const messages = collect(false)
    fixture.arrive(body)
    await new Promise(setImmediate)
    assert.deepEqual(fixture.failed, ['news Error: thrown', 'news Error: rejected'])
    assert.equal(messages.length, 1)
  })
})

test('without export: a message carries no span of the mesh, but still that of the application', async () => {
  const { messages, payloads, spans } = setup({ exportsSpans: false })
  await messages.publish('news', body)
  const app = await tracer.startActiveSpan('app', async (span) => {
    await messages.publish('news', body)
    span.end()
    return span.spanContext().traceId
  })
  const traceIds = payloads.map((payload) => decodeMessage(payload).trace?.traceId)
  assert.deepEqual(traceIds, [undefined, app])
  assert.deepEqual(spans, [])
})
