import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type LimitName, limits } from '../core/limits.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { limitEvidence } from './limit-evidence.ts'

leakCheck()

test('limits that refused, and scopes in use: a line each with the value in force, most refusals first', () => {
  const { attributes } = limitEvidence({
    refusals: { digestTopics: 2, inboundRate: 70 },
    usage: { connections: 12, pendingInbound: 0, bufferedBytes: 4_096 },
    inForce: ['connections=108', 'inboundRate=20', 'bufferedBytes=off'],
  })
  assert.deepEqual(attributes, {
    'mesh.audit.limits': [
      'inboundRate 70 -/20',
      `digestTopics 2 -/${limits.digestTopics}`,
      'connections 0 12/108',
      'bufferedBytes 0 4096/off',
    ],
  })
})

test('every limit refused something: 32 lines, those with most refusals', () => {
  const names = Object.keys(limits) as LimitName[]
  const refusals = Object.fromEntries(names.map((name, n) => [name, n + 1]))
  const lines = limitEvidence({ refusals, usage: {}, inForce: [] }).attributes?.['mesh.audit.limits'] ?? []
  assert.deepEqual([lines.length, lines[0]?.split(' ')[0]], [32, names.at(-1)])
})
