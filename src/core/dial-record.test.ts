import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { allowRedial, type DialRecord, newDialRecord } from './dial-record.ts'

leakCheck()

const failed = { dialAfter: 99_000, dialFailures: 4, isDialling: true } satisfies Partial<DialRecord>

test('new address of a member: dialled at once, but not for every digest', () => {
  const record: DialRecord = { ...newDialRecord(), ...failed }
  allowRedial(record, true, 2_000)
  assert.deepEqual([record.dialAfter, record.dialFailures, record.isDialling], [2_000, 0, false])
  const failedAgain: DialRecord = { ...record, ...failed }
  allowRedial(failedAgain, true, 4_000)
  assert.equal(failedAgain.dialAfter, 99_000)
})

test('restart of a member: earlier failures do not count, a dial in progress still does', () => {
  const record: DialRecord = { ...newDialRecord(), ...failed }
  allowRedial(record, false, 2_000)
  assert.deepEqual([record.dialAfter, record.dialFailures, record.isDialling], [2_000, 0, true])
})

for (const [news, hasMoved] of [
  ['announces a new address', true],
  ['restarts', false],
] as const) {
  test(`member that ${news} in every digest: dials back off until it answers`, () => {
    const record = newDialRecord()
    const dialsIn = (from: number, minutes: number) => {
      let dials = 0
      for (let n = from; n < from + minutes * 30; n++) {
        record.dialAfter = Infinity
        allowRedial(record, hasMoved, n * 2_000)
        dials += Number(record.dialAfter !== Infinity)
      }
      return dials
    }
    assert.equal(dialsIn(2, 60), 9)
    record.redials = 0
    assert.equal(dialsIn(1_802, 1), 3)
  })
}
