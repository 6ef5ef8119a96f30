import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf, growing, processWith } from '../../testing/doctor/process-story.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { listenersLeft } from './listeners-left.ts'

leakCheck()

test('listeners on an event of libp2p that nobody removes: the event is named', () => {
  const story = processWith((s) => ({
    'mesh.audit.listeners': 27 + growing(30)(s),
    'mesh.audit.listeners_largest': 16 + growing(30)(s),
    'mesh.audit.listeners_largest_event': 'libp2p peer:connect',
  }))
  const [finding] = listenersLeft.find(evidenceOf([story]))
  assert.equal(finding?.owner.part, 'listeners on libp2p: libp2p peer:connect')
})

test('listeners on signals of owners: these are named', () => {
  const story = processWith((s) => ({ 'mesh.audit.listeners_signals': 16 + growing(30)(s) }))
  assert.equal(listenersLeft.find(evidenceOf([story]))[0]?.owner.part, 'listeners on signals')
})

test('listeners of connections that come: nothing', () => {
  const story = processWith((s) => ({ 'mesh.audit.streams': 3 * s, 'mesh.audit.listeners_connections': 28 * s }))
  assert.deepEqual(listenersLeft.find(evidenceOf([story])), [])
})

test('listeners that an application added once: nothing', () => {
  const story = processWith((s) => ({ 'mesh.audit.listeners': s < 300 ? 27 : 60 }))
  assert.deepEqual(listenersLeft.find(evidenceOf([story])), [])
})
