import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SpanEffect } from '../../catalogue/span-effect.ts'
import { Owner } from '../../core/owner.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { VirtualClock } from '../../testing/sim/virtual-clock.ts'
import { ResourceMonitor, type ResourceMonitorOptions } from './resource-monitor.ts'

leakCheck()

const systemError = (code: string) => Object.assign(new Error(code), { code })

function startMonitor(probe: () => void = () => {}) {
  const clock = new VirtualClock()
  const owner = new Owner('t', clock)
  const [events, listener] = [new EventTarget(), new EventTarget()]
  const lateListener = new EventTarget()
  const spans: SpanEffect[] = []
  const components = { events, transportManager: { getListeners: () => [listener] } }
  const monitor = new ResourceMonitor({
    owner,
    clock,
    random: () => 0.5,
    components: components as unknown as ResourceMonitorOptions['components'],
    emitSpan: (span) => void spans.push(span),
    probe,
  })
  monitor.start()
  const listen = () => events.dispatchEvent(new CustomEvent('transport:listening', { detail: lateListener }))
  return { clock, owner, monitor, listener, lateListener, listen, spans, names: () => spans.map(({ span }) => span) }
}

test('other failures: no span', async () => {
  const { clock, owner, monitor, names } = startMonitor()
  monitor.reportFailure('ECONNREFUSED', 'dial')
  clock.advance(120_000)
  assert.deepEqual(names(), [])
  await owner.close()
  assert.equal(clock.pending, 0)
})

test('no free descriptor: a span at the next probe, and one at the recovery', async () => {
  let isExhausted = true
  const { clock, owner, names, spans } = startMonitor(() => {
    if (isExhausted) throw systemError('EMFILE')
  })
  clock.advance(20_000)
  assert.deepEqual(names(), ['mesh.resource.exhausted'])
  isExhausted = false
  clock.advance(20_000)
  assert.deepEqual(names(), ['mesh.resource.exhausted', 'mesh.resource.recovered'])
  assert.deepEqual(Object.values(spans[1]?.attributes ?? {}), ['descriptors', 'EMFILE', 5, ['open'], 20_000])
  await owner.close()
})

test('a listener that cannot accept: a span, for later listeners too, and none after the stop', async () => {
  const { listener, lateListener, listen, owner, spans } = startMonitor()
  const fail = (target: EventTarget, code: string) =>
    target.dispatchEvent(new CustomEvent('error', { detail: systemError(code) }))
  fail(listener, 'ENOBUFS')
  listen()
  fail(lateListener, 'ENOMEM')
  const what = () => spans.map(({ attributes }) => Object.values(attributes).join())
  assert.deepEqual(what(), ['socket-memory,ENOBUFS,accept', 'memory,ENOMEM,accept'])
  await owner.close()
  fail(listener, 'EMFILE')
  assert.equal(spans.length, 2)
})

test('dials that fail for lack of memory: one span, and their number at the recovery', () => {
  const { clock, monitor, spans, names } = startMonitor()
  for (let n = 0; n < 100; n++) monitor.reportFailure('ENOBUFS', 'dial')
  clock.advance(20_000)
  assert.deepEqual(names(), ['mesh.resource.exhausted', 'mesh.resource.recovered'])
  assert.deepEqual(Object.values(spans[1]?.attributes ?? {}), ['socket-memory', 'ENOBUFS', 100, ['dial'], 0])
})
