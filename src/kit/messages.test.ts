import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { context, INVALID_SPAN_CONTEXT, TraceFlags, trace } from '@opentelemetry/api'
import type { SpanEffect } from '../catalogue/span-effect.ts'
import { Owner } from '../core/owner.ts'
import type { TraceRef } from '../core/trace.ts'
import { activeTraceId, appTracing, unsampledName } from '../testing/app-tracing.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { seededRandom } from '../testing/random.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import type { PubSub } from './components.ts'
import { decodeMessage, encodeMessage } from './envelope.ts'
import type { MeshMessage } from './message.ts'
import { Messages } from './messages.ts'

leakCheck()

const { tracer } = appTracing()
const bytes = (text: string) => new TextEncoder().encode(text)
const body = bytes('hello')
const remote = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }

/** Messages on a pubsub that keeps what is published and delivers what the test says. */
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

let at = setup()
beforeEach(() => {
  at = setup()
})

/** What the handlers of a topic get. */
function heard(raw: boolean): MeshMessage[] {
  const all: MeshMessage[] = []
  at.messages.subscribe('news', (message) => all.push(message), { raw })
  return all
}

describe('raw', () => {
  test('a raw message is the body alone; its size is bounded, and it can cross', async () => {
    const lookalike = encodeMessage({ body })
    await at.messages.publish('news', body, { raw: true })
    await at.messages.publish('news', lookalike, { raw: true, cross: true })
    assert.deepEqual(at.payloads, [body, lookalike])
    assert.equal(at.sealed.length, 1)
    await assert.rejects(at.messages.publish('news', new Uint8Array(101), { raw: true }), {
      code: 'MESH_MESSAGE_TOO_LARGE',
    })
    assert.equal(at.payloads.length, 2)
  })

  test('without raw a header goes in front, also of a body that looks like one', async () => {
    const lookalike = encodeMessage({ body })
    await at.messages.publish('news', lookalike)
    assert.deepEqual(decodeMessage(at.payloads[0] ?? body).body, lookalike)
    const plain = heard(false)
    at.arrive(at.payloads[0] ?? body)
    assert.deepEqual(plain[0]?.data, lookalike)
  })

  test('a raw handler gets each payload as it was published, another the body of the same message', () => {
    const raw = heard(true)
    const read = heard(false)
    const payload = encodeMessage({ body, trace: remote, stamp: { sequence: 1n, sentAt: 0 } })
    at.arrive(payload)
    at.arrive(body)
    assert.deepEqual(
      raw.map(({ data, trace }) => [data, trace]),
      [
        [payload, undefined],
        [body, undefined],
      ],
    )
    assert.deepEqual(
      read.map(({ data, trace }) => [data, trace]),
      [
        [body, remote],
        [body, undefined],
      ],
    )
    assert.deepEqual(
      at.messages.recent().map(({ bytes }) => bytes),
      [body.length, body.length],
    )
  })

  test('a body that begins like a header reaches raw handlers only, and is reported once per second', () => {
    const raw = heard(true)
    const broken = Uint8Array.of(...encodeMessage({ body }).subarray(0, 4), 9, 9, 9)
    at.arrive(broken)
    assert.deepEqual(at.unreadable, [])
    const read = heard(false)
    for (let i = 0; i < 3; i++) at.arrive(broken)
    at.clock.advance(1_000)
    at.arrive(broken)
    assert.deepEqual([raw.length, read.length], [5, 0])
    assert.deepEqual(at.unreadable, ['news peer', 'news peer'])
    assert.deepEqual(at.failed, [])
  })

  test('a handler that subscribed twice ends each subscription by itself', () => {
    const all: MeshMessage[] = []
    const handler = (message: MeshMessage) => all.push(message)
    const endRaw = at.messages.subscribe('news', handler, { raw: true })
    at.messages.subscribe('news', handler)
    endRaw()
    endRaw()
    at.arrive(encodeMessage({ body }))
    assert.deepEqual(
      all.map(({ data }) => data),
      [body],
    )
  })
})

describe('context', () => {
  const carried = (index = 0) => decodeMessage(at.payloads[index] ?? body).trace

  test('a message carries the active span of the application, before the sampled span of the mesh', async () => {
    const span = tracer.startSpan('work')
    const { traceId, spanId } = span.spanContext()
    await context.with(trace.setSpan(context.active(), span), async () => {
      await at.messages.publish('news', body)
      await at.messages.publish('news', body, { cross: true })
    })
    span.end()
    assert.deepEqual([carried(0), carried(1), at.sealed[0]], Array(3).fill({ traceId, spanId }))
    const [published] = at.spans
    assert.equal(at.spans.length, 1)
    assert.deepEqual(published?.parent, { traceId, spanId })
    assert.equal(published?.ref?.traceId, traceId)
  })

  test('without an active span it carries the sampled span of the mesh, at most once per second', async () => {
    await at.messages.publish('news', body)
    await at.messages.publish('news', body)
    assert.deepEqual(carried(0), at.spans[0]?.ref)
    assert.equal(carried(1), undefined)
  })

  test('within a span that is not sampled a message carries no trace, not even that of the mesh', async () => {
    const unsampled = tracer.startSpan(unsampledName)
    assert.equal(unsampled.spanContext().traceFlags, TraceFlags.NONE)
    await context.with(trace.setSpan(context.active(), unsampled), () => at.messages.publish('news', body))
    assert.equal(carried(), undefined)
    assert.equal(at.spans[0]?.parent, null)
  })

  test('an invalid span, as an API without an SDK hands out, is as good as none', async () => {
    const invalid = trace.wrapSpanContext({ ...INVALID_SPAN_CONTEXT, traceFlags: TraceFlags.SAMPLED })
    await context.with(trace.setSpan(context.active(), invalid), () => at.messages.publish('news', body))
    assert.deepEqual(carried(), at.spans[0]?.ref)
    assert.equal(at.spans[0]?.parent, null)
  })

  test('a handler runs in the trace of its message, what it awaits too; without one in no trace', async () => {
    const seen: (string | undefined)[] = []
    const { promise, resolve } = Promise.withResolvers<void>()
    at.messages.subscribe('news', async () => {
      await null
      seen.push(activeTraceId())
      if (seen.length === 2) resolve()
    })
    // Gossip arrives in the context of the code that opened the connection.
    const opener = tracer.startSpan('opener')
    context.with(trace.setSpan(context.active(), opener), () => {
      at.arrive(encodeMessage({ body, trace: remote }))
      at.arrive(body)
    })
    opener.end()
    await promise
    assert.deepEqual(seen, [remote.traceId, undefined])
    assert.deepEqual(
      at.spans.map(({ span, links }) => [span, links]),
      [['mesh.message.received', [remote]]],
    )
  })

  test('every traced message of a member, and one a second of all others, runs its handler with a sampled parent', () => {
    const flags: (number | undefined)[] = []
    const ids: (string | undefined)[] = []
    at.messages.subscribe('news', () => {
      flags.push(trace.getSpanContext(context.active())?.traceFlags)
      ids.push(activeTraceId())
    })
    const traced = encodeMessage({ body, trace: remote })
    for (const from of ['peer', 'peer', 'guest', 'guest', 'other guest']) at.arrive(traced, from)
    at.clock.advance(1_000)
    for (const from of ['other guest', 'guest']) at.arrive(traced, from)
    const { SAMPLED, NONE } = TraceFlags
    assert.deepEqual(flags, [SAMPLED, SAMPLED, SAMPLED, NONE, NONE, SAMPLED, NONE])
    assert.deepEqual(ids, Array(7).fill(remote.traceId))
  })

  test('a guest’s untraced message takes no place of a traced one', () => {
    const flags: (number | undefined)[] = []
    at.messages.subscribe('news', () => flags.push(trace.getSpanContext(context.active())?.traceFlags))
    at.arrive(body, 'guest')
    at.arrive(encodeMessage({ body, trace: remote }), 'guest')
    assert.deepEqual(flags, [undefined, TraceFlags.SAMPLED])
  })

  test('a message out of another mesh brings its trace; a raw handler gets its body alone, too', () => {
    const seen: unknown[] = []
    at.messages.subscribe('news', ({ data }) => seen.push([data, activeTraceId()]))
    at.messages.subscribe('news', ({ data }) => seen.push([data, activeTraceId()]), { raw: true })
    const crossing = { id: 'far/1', origin: 'far', originMesh: 'mesh-b', topic: 'news', hops: 1, sealed: body }
    at.messages.deliverCrossing({ ...crossing, body, trace: remote })
    assert.deepEqual(seen, [
      [body, remote.traceId],
      [body, remote.traceId],
    ])
  })

  test('a handler that throws or rejects is reported, and spares the others', async () => {
    at.messages.subscribe('news', () => {
      throw new Error('thrown')
    })
    at.messages.subscribe('news', async () => {
      throw new Error('rejected')
    })
    const all = heard(false)
    at.arrive(body)
    await new Promise(setImmediate)
    assert.deepEqual(at.failed, ['news Error: thrown', 'news Error: rejected'])
    assert.equal(all.length, 1)
  })
})

test('where no span is exported a message carries none of the mesh, and that of an application still', async () => {
  const { messages, payloads, spans } = setup({ exportsSpans: false })
  await messages.publish('news', body)
  const app = await tracer.startActiveSpan('app', async (span) => {
    await messages.publish('news', body)
    span.end()
    return span.spanContext().traceId
  })
  assert.deepEqual(
    payloads.map((payload) => decodeMessage(payload).trace?.traceId),
    [undefined, app],
  )
  assert.deepEqual(spans, [])
})
