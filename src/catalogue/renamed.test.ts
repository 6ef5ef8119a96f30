import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { attributes } from './attributes.ts'
import { attributeRenames, toCurrentAttribute } from './renamed.ts'

leakCheck()

/** Names from OpenTelemetry's semantic conventions 1.41. */
const standard = [
  'code.file.path',
  'code.function.name',
  'code.line.number',
  'error.type',
  'messaging.destination.name',
  'messaging.message.body.size',
  'messaging.message.id',
  'messaging.operation.name',
  'messaging.operation.type',
  'messaging.system',
  'network.peer.address',
  'network.peer.port',
  'network.protocol.name',
  'network.transport',
  'nodejs.eventloop.delay.max',
  'nodejs.eventloop.delay.p99',
  'process.cpu.time',
  'process.memory.usage',
  'process.pid',
  'process.unix.file_descriptor.count',
  'server.address',
  'server.port',
  'v8js.memory.heap.used',
]

test('every attribute is in mesh. or in the semantic conventions', () => {
  const foreign = Object.keys(attributes).filter((name) => !name.startsWith('mesh.'))
  assert.deepEqual(
    foreign.filter((name) => !standard.includes(name)),
    [],
  )
})

test('an old name is no longer an attribute, and the Collector renames it as trace readers do', async () => {
  const collector = await readFile(new URL('../../otel/collector.yaml', import.meta.url), 'utf8')
  for (const [old, { name }] of Object.entries(attributeRenames)) {
    assert.equal(Object.hasOwn(attributes, old), false, old)
    assert.ok(collector.includes(`attributes["${old}"]`) && collector.includes(`attributes["${name}"]`), old)
  }
})

test('a renamed number gets the new unit; other values and other names stay', () => {
  assert.deepEqual(toCurrentAttribute('process.memory.rss_mb', 2), ['process.memory.usage', 2_097_152])
  assert.deepEqual(toCurrentAttribute('process.memory.rss_mb', 'odd'), ['process.memory.usage', 'odd'])
  for (const key of ['__proto__', 'constructor', 'mesh.seq']) assert.deepEqual(toCurrentAttribute(key, 1), [key, 1])
})
