import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SpanEffect } from '../catalogue/span-effect.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { seededRandom } from '../testing/random.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import { Census, type CensusSource } from './census.ts'
import { equal } from './invariants.ts'

leakCheck()

const window = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }

const healthy: CensusSource = { name: 'healthy', read: () => ({ attributes: { 'mesh.audit.peers': 3 } }) }

async function censusOf(...sources: readonly CensusSource[]): Promise<readonly SpanEffect[]> {
  const clock = new VirtualClock()
  return new Census({ sources, clock, random: seededRandom(1) }).take('periodic', window)
}

test('all layers agree: one span with the attributes of every source', async () => {
  const other: CensusSource = { name: 'other', read: async () => ({ attributes: { 'mesh.audit.members': 4 } }) }
  const [audit, ...rest] = await censusOf(healthy, other)
  assert.deepEqual(rest, [])
  assert.deepEqual(audit?.parent, window)
  assert.equal(audit?.ref?.traceId, window.traceId)
  assert.deepEqual(audit?.attributes, {
    'mesh.audit.verdict': 'consistent',
    'mesh.audit.cause': 'periodic',
    'mesh.audit.peers': 3,
    'mesh.audit.members': 4,
    'mesh.audit.suspects': 0,
  })
})

test('a source that throws or rejects: costs its own attributes, and is named with its error', async () => {
  const failing: CensusSource[] = [
    { name: 'sync', read: () => assert.fail('no such table') },
    { name: 'async', read: () => Promise.reject(new Error('closed')) },
  ]
  const [audit] = await censusOf(...failing, healthy)
  const attributes = audit?.attributes as Record<string, unknown>
  assert.deepEqual(attributes['mesh.audit.unread'], ['sync: no such table', 'async: closed'])
  assert.equal(attributes['mesh.audit.peers'], 3)
})

test('children, suspects and broken invariants: are children of `mesh.audit`', async () => {
  const broken: CensusSource = {
    name: 'broken',
    read: () => ({
      invariants: [equal({ name: 'connections-conserved', owner: 'ledger', expected: 1, actual: 2 })],
      suspects: [
        {
          connection: 'c',
          peer: 'p',
          reason: 'unowned',
          ageMs: 20_000,
          direction: 'inbound',
          address: '/memory/1',
          openedSpan: undefined,
        },
      ],
    }),
  }
  const [audit, ...children] = await censusOf(healthy, broken)
  assert.deepEqual(
    children.map(({ span }) => span),
    ['mesh.audit.suspect', 'mesh.leak.suspected'],
  )
  for (const { parent } of children) assert.deepEqual(parent, audit?.ref)
  const attributes = audit?.attributes as Record<string, unknown>
  assert.equal(attributes['mesh.audit.verdict'], 'differs')
})
