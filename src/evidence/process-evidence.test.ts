import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import type { CensusPart } from './census.ts'
import { DescriptorReader } from './descriptors.ts'
import { MemoryReader } from './memory.ts'
import { listenerEvidence, processEvidence } from './process-evidence.ts'
import { TimerReader } from './timers.ts'
import { VitalsReader } from './vitals.ts'

leakCheck()

const clock = new VirtualClock()

function readers() {
  return { vitals: new VitalsReader(), memory: new MemoryReader(clock), descriptors: new DescriptorReader() }
}

type Attributes = NonNullable<CensusPart['attributes']>

/** The integer attributes that differ by more than `noise`, with the difference. */
function differences(before: Attributes, after: Attributes, noise = 0): Record<string, number> {
  const numbers = Object.entries(after).filter(([name]) => /^mesh\.audit\.|descriptor/.test(name))
  const changes = numbers.map(
    ([name, value]) => [name, Number(value) - Number(before[name as keyof Attributes])] as const,
  )
  return Object.fromEntries(changes.filter(([, change]) => Math.abs(change) > noise))
}

test('planted sockets and timers: show in their attributes only, and none without them', async () => {
  const timers = await TimerReader.open()
  const all = { ...readers(), timers }
  const read = () => processEvidence(all, clock.now()).attributes ?? {}
  const clean = read()
  assert.deepEqual(differences(clean, read()), {})
  const sockets = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const socket = createSocket('udp4').bind(0, '127.0.0.1')
      await once(socket, 'listening')
      return socket
    }),
  )
  const planted = read()
  const timeouts = Array.from({ length: 200 }, () => setTimeout(() => {}, 60_000).unref())
  const onLinux = { 'process.unix.file_descriptor.count': 50, 'mesh.audit.sockets_udp': 50 }
  assert.deepEqual(differences(clean, planted), {
    'mesh.audit.sockets': 50,
    ...(process.platform === 'linux' && onLinux),
  })
  assert.deepEqual(differences(planted, read()), { 'mesh.audit.timers_unref': 200 })
  for (const timer of timeouts) clearTimeout(timer)
  await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))))
  assert.deepEqual(differences(clean, read()), {})
})

test('floors: have their bytes and their age, and are absent before the first major collection', () => {
  const usage = { heapUsed: 30_000_000, external: 10_000_000, arrayBuffers: 9_000_000 }
  const memory = new MemoryReader(clock, () => usage)
  const read = () => processEvidence({ ...readers(), memory, timers: undefined }, clock.now()).attributes ?? {}
  const names = Object.keys(read())
  assert.ok(!names.some((name) => /floor|age_ms|timers_unref/.test(name)), names.join())
  memory.recordMajorGcs(3)
  clock.advance(1_500)
  usage.external += 20_000_000
  const later = read()
  assert.deepEqual(
    [later['mesh.memory.external'], later['mesh.memory.external_floor'], later['mesh.memory.heap_floor']],
    [30_000_000, 10_000_000, 30_000_000],
  )
  assert.deepEqual([later['mesh.memory.major_gc_age_ms'], later['mesh.memory.major_gcs_total']], [1_500, 3])
  assert.equal(later['process.pid'], process.pid)
})

test('a system without a list of descriptors: has the sockets that Node lists, and no other count of them', () => {
  const list = () => assert.fail('no /proc')
  const descriptors = new DescriptorReader({ list, target: () => '', sockets: () => [] })
  const attributes = processEvidence({ ...readers(), descriptors, timers: undefined }, clock.now()).attributes ?? {}
  const names = Object.keys(attributes).filter((name) => /sockets|descriptor/.test(name))
  assert.deepEqual(names, ['mesh.audit.sockets'])
})

test('listeners: are summed up by group, and the largest of all groups is named', () => {
  const [events, connection, { signal }] = [new EventTarget(), new EventTarget(), new AbortController()]
  const targets = {
    lasting: [{ name: 'libp2p', target: events, types: ['start'] }],
    connections: [{ name: 'connection', target: connection, types: ['close'] }],
    signals: [{ name: 'owner', target: signal, types: ['abort'] }],
  }
  const none = { 'mesh.audit.listeners': 0, 'mesh.audit.listeners_connections': 0, 'mesh.audit.listeners_signals': 0 }
  assert.deepEqual(listenerEvidence(targets).attributes, none)
  events.addEventListener('start', () => {})
  for (let count = 0; count < 9; count++) signal.addEventListener('abort', () => {})
  assert.deepEqual(listenerEvidence(targets).attributes, {
    'mesh.audit.listeners': 1,
    'mesh.audit.listeners_connections': 0,
    'mesh.audit.listeners_signals': 9,
    'mesh.audit.listeners_largest': 9,
    'mesh.audit.listeners_largest_event': 'owner abort',
  })
})
