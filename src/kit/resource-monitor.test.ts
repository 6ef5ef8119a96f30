import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SpanEffect } from '../catalogue/span-effect.ts'
import { Owner } from '../core/owner.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { ResourceMonitor, type ResourceMonitorOptions } from './resource-monitor.ts'

leakCheck()

const systemError = (code: string) => Object.assign(new Error(code), { code })

function monitored(probe: () => void = () => {}) {
  const clock = new VirtualClock()
  const owner = new Owner('t', clock)
  const [events, listener] = [new EventTarget(), new EventTarget()]
  const later = new EventTarget()
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
  const listen = () => events.dispatchEvent(new CustomEvent('transport:listening', { detail: later }))
  return { clock, owner, monitor, listener, later, listen, spans, names: () => spans.map(({ span }) => span) }
}

test('nothing is exhausted: no span, whatever else fails', async () => {
  const { clock, owner, monitor, names } = monitored()
  monitor.reportFailure('ECONNREFUSED', 'dial')
  clock.advance(120_000)
  assert.deepEqual(names(), [])
  await owner.close()
  assert.equal(clock.pending, 0)
})

test('no descriptor can be opened: emitted at the next probe, and its end when there are some again', async () => {
  let isExhausted = true
  const { clock, owner, names, spans } = monitored(() => {
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

test('a listener that cannot accept: emitted, for those that listen later too, and no more once it has stopped', async () => {
  const { listener, later, listen, owner, spans } = monitored()
  const fail = (target: EventTarget, code: string) =>
    target.dispatchEvent(new CustomEvent('error', { detail: systemError(code) }))
  fail(listener, 'ENOBUFS')
  listen()
  fail(later, 'ENOMEM')
  const what = () => spans.map(({ attributes }) => Object.values(attributes).join())
  assert.deepEqual(what(), ['socket-memory,ENOBUFS,accept', 'memory,ENOMEM,accept'])
  await owner.close()
  fail(listener, 'EMFILE')
  assert.equal(spans.length, 2)
})

test('dials that fail for want of memory: emitted once, with their number when it is over', () => {
  const { clock, monitor, spans, names } = monitored()
  for (let n = 0; n < 100; n++) monitor.reportFailure('ENOBUFS', 'dial')
  clock.advance(20_000)
  assert.deepEqual(names(), ['mesh.resource.exhausted', 'mesh.resource.recovered'])
  assert.deepEqual(Object.values(spans[1]?.attributes ?? {}), ['socket-memory', 'ENOBUFS', 100, ['dial'], 0])
})
