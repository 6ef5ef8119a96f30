import assert from 'node:assert/strict'
import { test } from 'node:test'
import { infoOf, joinLink, makeLedger } from '../testing/core/node-fixture.ts'
import { leakCheck } from '../testing/leak-check.ts'

leakCheck()

test('a connection reported by itself: its frames find it before the next snapshot, which adds nothing', () => {
  const ledger = makeLedger()
  const info = infoOf()
  ledger.handle({ type: 'opened', connection: info }, 0)
  joinLink(ledger, info.id, 1)
  assert.equal(ledger.joinedLink('p')?.connection, info.id)
  assert.deepEqual(ledger.handle({ type: 'opened', connection: info }, 2), [])
  assert.deepEqual(ledger.handle({ type: 'observed', connections: [info] }, 3), [])
  assert.equal(ledger.get('p')?.links.length, 1)
})

test('a connection that closed before it was reported: the next snapshot removes it', () => {
  const ledger = makeLedger()
  ledger.handle({ type: 'opened', connection: infoOf() }, 0)
  const effects = ledger.handle({ type: 'observed', connections: [] }, 1)
  assert.deepEqual(
    effects.flatMap((effect) => (effect.do === 'emit-span' ? [] : [effect.do])),
    ['disconnected'],
  )
  assert.equal(ledger.size, 0)
})

test('a connection that a snapshot showed and the ledger refused: its own event refuses it no second time', () => {
  const ledger = makeLedger()
  const late = infoOf({ id: 'late' })
  ledger.handle({ type: 'stopping' }, 0)
  ledger.handle({ type: 'observed', connections: [late] }, 1)
  assert.deepEqual(ledger.handle({ type: 'opened', connection: late }, 2), [])
  assert.deepEqual(ledger.counts.refused, { stopping: 1 })
})
