import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { judgeRecord, type RecordFacts, type RecordVerdict } from './record-rules.ts'

leakCheck()

const absent: RecordFacts = {
  isConnected: false,
  isDialled: false,
  isTagged: false,
  idleMs: 60_000,
  isInTable: false,
  isMember: false,
}

const cases: readonly [string, Partial<RecordFacts>, RecordVerdict][] = [
  ['an absent peer past the grace period', {}, 'remove'],
  ['an absent member', { isMember: true }, 'remove'],
  ['a peer that disconnected just now', { idleMs: 59_999 }, 'keep'],
  ['a connected peer, however old its record', { isConnected: true, idleMs: 1e9 }, 'keep'],
  ['a connected peer of the table', { isConnected: true, isInTable: true }, 'keep'],
  ['a peer that libp2p dials', { isDialled: true }, 'keep'],
  ['a peer that the application tagged', { isTagged: true }, 'keep'],
  ['an absent peer of the table', { isInTable: true }, 'probe'],
  ['an absent member of the table', { isInTable: true, isMember: true }, 'keep'],
  ['a peer of the table within the grace period', { isInTable: true, idleMs: 1 }, 'keep'],
]

for (const [situation, facts, verdict] of cases)
  test(`${situation}: ${verdict}`, () => assert.equal(judgeRecord({ ...absent, ...facts }, 60_000), verdict))
