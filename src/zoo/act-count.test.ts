import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { ActCounter, actCountIn, checkActs } from './act-count.ts'

leakCheck()

/** What a counter prints of these acts, as the log of its process. */
async function logOf(...acts: readonly (() => unknown)[]) {
  const lines: string[] = []
  const counter = new ActCounter((line) => void lines.push(line))
  for (const act of acts) await counter.run(act)
  counter.report()
  counter.report()
  return lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
}

const fail = () => {
  throw new Error('no connection')
}

test('a process that acts: its output has acts and failures, and nothing to do is neither', async () => {
  const log = await logOf(
    () => {},
    () => 'done',
    () => false,
    fail,
  )
  assert.deepEqual(actCountIn([{ msg: 'listening' }, ...log, { msg: 'stopped' }]), {
    acts: 2,
    failed: 1,
    error: 'Error: no connection',
  })
  assert.equal(log.length, 1)
})

test('a run whose plant never acted: an error names the plant and its last failure', async () => {
  const count = actCountIn(await logOf(fail, fail))
  const required = [
    { who: 'the plant streams of node-3', least: 12, count },
    { who: 'the members of guest', least: 8, count: { acts: 9, failed: 0, error: '' } },
  ]
  assert.throws(
    () => checkActs('streams', required),
    /nothing to show in streams: the plant streams of node-3 acted 0 times, and 12 are needed; 2 attempts failed, the last one: Error: no connection$/,
  )
  assert.doesNotThrow(() => checkActs('streams', required.slice(1)))
})

test('the output of a process that says nothing of acts: it has not acted', () => {
  assert.equal(actCountIn([{ msg: 'listening' }]).acts, 0)
})
