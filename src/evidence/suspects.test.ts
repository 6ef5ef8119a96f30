import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { maxSuspects, type Suspect, SuspectWatch } from './suspects.ts'

leakCheck()

const audit = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }
const openedSpan = { traceId: 'c'.repeat(32), spanId: 'd'.repeat(16) }

function suspect(connection: string, ageMs: number): Suspect {
  const place = { direction: 'inbound', address: '/ip4/192.0.2.1/tcp/1', openedSpan } as const
  return { connection, peer: `peer of ${connection}`, reason: 'unowned', ageMs, ...place }
}

function reportOf(watch: SuspectWatch, ...suspects: readonly Suspect[]): readonly string[] {
  return watch.report(suspects, audit).map(({ attributes }) => {
    const { 'mesh.connection.id': id, 'mesh.suspect.change': change } = attributes as Record<string, unknown>
    return `${id} ${change}`
  })
}

test('a suspect: has a span when it appears, at each age band, and when it goes, and none between', () => {
  const watch = new SuspectWatch()
  assert.deepEqual(reportOf(watch, suspect('c', 20_000)), ['c appeared'])
  assert.deepEqual(reportOf(watch, suspect('c', 50_000)), [])
  assert.deepEqual(reportOf(watch, suspect('c', 80_000), suspect('d', 11_000)), ['c older', 'd appeared'])
  assert.deepEqual(reportOf(watch, suspect('d', 41_000)), ['c gone'])
  assert.deepEqual(reportOf(watch), ['d gone'])
  assert.deepEqual(reportOf(watch), [])
})

test('its span: is linked to the opening of the connection, and has its address and age', () => {
  const [span] = new SuspectWatch().report([suspect('c', 20_000)], audit)
  assert.deepEqual(span?.links, [openedSpan])
  assert.deepEqual(span?.attributes, {
    'mesh.connection.id': 'c',
    'mesh.peer.id': 'peer of c',
    'mesh.suspect.reason': 'unowned',
    'mesh.suspect.change': 'appeared',
    'mesh.connection.age_ms': 20_000,
    'mesh.connection.age_band': '<1m',
    'mesh.connection.direction': 'inbound',
    'mesh.connection.address': '/ip4/192.0.2.1/tcp/1',
  })
})

test('more suspects than the maximum: the oldest have spans, and none of the others seems gone', () => {
  const watch = new SuspectWatch()
  const many = Array.from({ length: 500 }, (_, i) => suspect(`x${i}`, 60_000 + i))
  const first = reportOf(watch, ...many)
  assert.equal(first.length, maxSuspects)
  assert.equal(first[0], 'x499 appeared')
  assert.deepEqual(reportOf(watch, ...many), [])
})
