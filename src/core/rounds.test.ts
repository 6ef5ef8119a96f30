import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { seededRandom } from '../testing/random.ts'
import { Rounds } from './rounds.ts'

leakCheck()

test('a window a minute, linked to the previous one; a census after 5 s and every 30 s; a snapshot every 5 s', () => {
  const rounds = new Rounds(seededRandom(1))
  assert.equal(rounds.deadline(), Infinity, 'nothing is due before the start')
  const effects = rounds.handle({ type: 'started' }, 0).map((effect) => ({ at: 0, effect }))
  for (let now = rounds.deadline(); now < 180_000; now = rounds.deadline()) {
    effects.push(...rounds.handle({ type: 'tick' }, now).map((effect) => ({ at: now, effect })))
  }
  const at = (what: string) => effects.filter(({ effect }) => effect.do === what).map((one) => one.at)
  assert.deepEqual(at('emit-span'), [0, 60_000, 120_000])
  assert.deepEqual(at('census'), [5_000, 35_000, 65_000, 95_000, 125_000, 155_000])
  const causes = effects.flatMap(({ effect }) => (effect.do === 'census' ? [effect.cause] : []))
  assert.deepEqual(causes.slice(0, 3), ['started', 'periodic', 'periodic'])
  assert.equal(at('observe').length, 36)
  const windows = effects.flatMap(({ effect }) => (effect.do === 'emit-span' ? [effect] : []))
  const linkCounts = windows.map(({ links }) => links?.length)
  assert.deepEqual(linkCounts, [0, 1, 1])
  assert.deepEqual(windows[2]?.links?.[0], windows[1]?.ref)
  assert.equal(new Set(windows.map(({ ref }) => ref?.traceId)).size, 3, 'each is a trace of its own')
  assert.deepEqual(rounds.window, windows[2]?.ref)
})

test('suspension longer than several windows: one new window', () => {
  const rounds = new Rounds(seededRandom(1))
  rounds.handle({ type: 'started' }, 0)
  const late = rounds.handle({ type: 'tick' }, 600_000)
  assert.equal(late.filter(({ do: what }) => what === 'emit-span').length, 1)
  assert.equal(rounds.handle({ type: 'tick' }, 600_001).length, 0)
})
